/* SPDX-License-Identifier: GPL-3.0-or-later */
/* templates: the files under templates/ as text, one array each; `@name@` marks are filled by the
 * user. */
#ifndef MP_TEMPLATES_H
#define MP_TEMPLATES_H

extern const char mp_template_bootstrap_sh[]; /* templates/bootstrap.sh: transport of the agent */

#endif
