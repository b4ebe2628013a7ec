/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bootstrap: the one command that is run on a host. Pure. */
#ifndef MP_FLEET_BOOTSTRAP_H
#define MP_FLEET_BOOTSTRAP_H

#include "fleet/fleet.h"

#define MP_AGENT_DIR "/var/lib/migprep/agent" /* on every host */

/*
 * A command line for any login shell (sh, bash, csh, fish) that checks, receives and starts the
 * agent of bundle below dir, as root (with sudo -n when the user is not root). A heap string.
 */
char *mp_bootstrap_command(const struct mp_bundle *bundle, const char *dir, const char *nonce);

/* A command line for /bin/sh that starts the agent program at path. A heap string. */
char *mp_bootstrap_local(const char *path, const char *nonce);

#endif
