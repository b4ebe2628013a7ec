/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * virt: what a migration needs from a hypervisor, as a small vtable. virt.c is the libvirt behind
 * it; unit tests put a fake there. Every call has a deadline and returns at most a moment after it.
 */
#ifndef MP_MIGRATE_VIRT_H
#define MP_MIGRATE_VIRT_H

#include <stdbool.h>

#include "base/str.h"
#include "fleet/fleet.h"

/* What libvirt said, raw: virError's code, domain and message. code 0: no error. */
struct mp_virt_err {
	int code, domain;
	char text[480];
};

/* A guest as one host shows it. */
struct mp_virt_look {
	bool by_uuid, by_name; /* a domain with this UUID, with this name, is active here */
	bool running;          /* its state is running */
	bool migrated;         /* and the reason is that it migrated to here */
	char state[40];        /* in words: "running (migrated)"; "" when there is none */
	long long
		ticks; /* the clock that the guest's own code keeps in its memory; -1: unreadable */
};

/* Statistics of a migration job. -1: not told. */
struct mp_virt_stats {
	long long total_bytes, remaining_bytes, transferred_bytes;
	long long downtime_ms; /* only of a completed job */
};

struct mp_virt_move {
	const char *uuid;
	const char *peer_uri;    /* dialled by the source's libvirt */
	const char *migrate_uri; /* where the data goes; NULL: the target's libvirt says */
	_Atomic mp_ms *deadline; /* of the call itself; may come nearer while it runs */
};

struct mp_virt_conn;
struct mp_virt;

struct mp_virt_ops {
	/* A connection to the host's libvirt, through the operator's ssh. */
	int (*open)(struct mp_virt *v, const struct mp_host *h, mp_ms deadline,
		    struct mp_virt_conn **ret, struct mp_virt_err *err);
	void (*close)(struct mp_virt_conn *c);
	/* Starts a transient domain. */
	int (*create)(struct mp_virt_conn *c, const char *xml, mp_ms deadline,
		      struct mp_virt_err *err);
	int (*look)(struct mp_virt_conn *c, const char *uuid, const char *name, mp_ms deadline,
		    struct mp_virt_look *ret, struct mp_virt_err *err);
	/* Names of the active domains that begin with prefix are added to ret. */
	int (*list)(struct mp_virt_conn *c, const char *prefix, mp_ms deadline, struct mp_strv *ret,
		    struct mp_virt_err *err);
	/* That it is not there is success. */
	int (*destroy)(struct mp_virt_conn *c, const char *name, mp_ms deadline,
		       struct mp_virt_err *err);
	/*
	 * Live, peer to peer; blocks until it is over, one way or the other. ret_done: when the
	 * source said that the job was completed, else when the call returned. Other calls go on
	 * beside it.
	 */
	int (*migrate)(struct mp_virt_conn *c, const struct mp_virt_move *m,
		       struct mp_virt_stats *ret, mp_ms *ret_done, struct mp_virt_err *err);
	/* 1: a job runs, *ret is filled; 0: none runs, or the domain is gone; -1: could not be
	 * asked. */
	int (*job)(struct mp_virt_conn *c, const char *uuid, mp_ms deadline,
		   struct mp_virt_stats *ret, struct mp_virt_err *err);
	int (*abort)(struct mp_virt_conn *c, const char *uuid, mp_ms deadline,
		     struct mp_virt_err *err);
};

struct mp_virt {
	const struct mp_virt_ops *ops;
};

/*
 * The libvirt of a run. Makes a private directory for what ssh needs, and one thread that serves
 * libvirt's events and ends connections whose call has passed its deadline. dial must outlive it.
 */
int mp_virt_new(const struct mp_dial *dial, struct mp_virt **ret, struct mp_err *err);

/* All connections must have been closed. Removes the directory, ends the thread. */
void mp_virt_free(struct mp_virt *v);

/* A word for the reason of a state, both libvirt's numbers: "booted"; NULL: none is known. Pure. */
const char *mp_virt_reason_word(int state, int reason);

#endif
