/* SPDX-License-Identifier: GPL-3.0-or-later */
/* uri: how migprep reaches a libvirt, and how one libvirt is told to reach another. Pure. */
#ifndef MP_MIGRATE_URI_H
#define MP_MIGRATE_URI_H

#include "model/profile.h"
#include "fleet/fleet.h"

/*
 * The shell lines that libvirt runs in place of ssh: they note its process id in pidfile, leave the
 * terminal's process group (so that Ctrl-C reaches migprep alone, and cleanup still has its
 * connections) and become the operator's ssh, strict and batch. A local host gets a shell in place
 * of ssh. Heap string.
 */
char *mp_migrate_ssh_script(const struct mp_dial *dial, const struct mp_host *h,
			    const char *pidfile);

/* The URI that migprep opens, with script as ssh; NULL: as a person would write it. Heap string. */
char *mp_migrate_host_uri(const struct mp_host *h, const char *script);

/*
 * The URI that the source's libvirt dials, as Nova would write it: nova.live_migration_uri with the
 * target's name, or the scheme. The name is the migration address where Nova is told to use it.
 * Heap string.
 */
char *mp_migrate_peer_uri(const struct mp_profile *p, const struct mp_host *target);

/* "tcp://ADDRESS" for the data where Nova is told the address; NULL: the target's libvirt says.
 * Heap. */
char *mp_migrate_data_uri(const struct mp_profile *p, const struct mp_host *target);

#endif
