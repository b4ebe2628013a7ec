/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/mesh-line: the two lines of a trial connection. The source sends MP_MESH_HELLO; the
 * listener answers MP_MESH_ANSWER, its nonce and a newline. So nothing else that listens, and no
 * middlebox, is taken for the target.
 */
#ifndef MP_AGENT_MESH_LINE_H
#define MP_AGENT_MESH_LINE_H

#define MP_MESH_HELLO "migprep-mesh hello\n"
#define MP_MESH_ANSWER "migprep-mesh "
#define MP_MESH_LINE 96  /* no line of the two is longer */
#define MP_MESH_NONCE 64 /* nor a nonce */

#endif
