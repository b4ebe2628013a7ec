/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "model/topic.h"

#include "base/alloc.h"

#define GUIDE "Nova admin guide, Configure live migrations"

const struct mp_topic mp_topics[] = {
	{ .id = "host-reach",
	  .summary = "the host answers the controller over SSH",
	  .prevents =
		  "A host that nobody can log in to is neither judged nor changed, and every pair "
		  "with it stays untried.",
	  .checked =
		  "Connects to the address of the inventory with strict host-key checking, as the "
		  "SSH settings of the operator say (ssh -G), starts the agent there and waits for "
		  "its greeting.",
	  .remedy =
		  "Log in by hand with ssh -v as the same user, and mend what it complains about: "
		  "address, port, firewall, host key or authorized_keys.",
	  .source = "migprep; host keys are never accepted unseen" },
	{ .id = "apply",
	  .summary = "the changes of a host are made to their end",
	  .prevents = "A host that is half changed: some files as wanted, others as they were, and "
		      "nobody who knows which.",
	  .checked =
		  "Follows the agent's report of each step. This result stands where apply could "
		  "not begin on a host (another migprep changes it), or where the conversation "
		  "broke off or made no sense before the last step was reported.",
	  .remedy = "Mend what the text names, then run migprep apply again: it looks at the host "
		    "afresh and does what is left.",
	  .source = "migprep; every change is in /var/lib/migprep/journal of the host" },
	{ .id = "mesh-ssh",
	  .summary = "each host logs in to each other one as root and as the nova user",
	  .prevents =
		  "A migration over qemu+ssh, or a cold migration, that stops with \"Host key "
		  "verification failed\", \"Permission denied (publickey)\" or \"This account is "
		  "currently not available\".",
	  .checked =
		  "On every host the ssh program of that host lets every other host echo a random "
		  "word, as root and as the nova user, with the host's own keys and known_hosts, "
		  "strict and in batch mode, under every name that libvirt or Nova may dial. "
		  "Nothing "
		  "but that word may come back: libvirt takes each byte for its protocol.",
	  .remedy = "Run migprep apply, which mends keys, known_hosts and the login shell; for a "
		    "refused or timed-out connection look at sshd and the firewall of the target.",
	  .source = GUIDE "; RDO, Enabling Migrations" },
	{ .id = "mesh-port",
	  .summary = "each host connects to each other one through the migration port range",
	  .prevents =
		  "A migration that fails at its start with \"unable to connect to server at "
		  "'HOST:49152'\": Connection refused, No route to host or Connection timed out.",
	  .checked = "Every host listens on the lowest and on the highest free port of the range "
		     "for the "
		     "time of the trial; every other host connects to both at its migration "
		     "address and "
		     "must get back the number that only this listener knows.",
	  .remedy =
		  "Run migprep apply, which opens the range to the other hosts; then let the range "
		  "through every firewall between the two hosts.",
	  .source = GUIDE ", step on ports 49152-49261" },
	{ .id = "verify",
	  .summary = "a guest is live-migrated round the hosts, and each move is proved",
	  .prevents =
		  "A cluster that looks right and still cannot migrate: the first real migration "
		  "would be the test.",
	  .checked = "Starts a small guest, migrates it from host to host until each host has been "
		     "source and target, and looks after each move where the guest runs, that the "
		     "source let go of it and that nothing is left behind.",
	  .remedy = "Read the reason of the failed move, mend what check and mesh report first, "
		    "and run "
		    "migprep verify again.",
	  .source = "migprep; libvirt, Guest migration" },
};
const size_t mp_n_topics = MP_N_ELEMS(mp_topics);
