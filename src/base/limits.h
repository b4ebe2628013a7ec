/* SPDX-License-Identifier: GPL-3.0-or-later */
/* limits: every ceiling of the program, in one place, with its reason. */
#ifndef MP_BASE_LIMITS_H
#define MP_BASE_LIMITS_H

#define MP_MAX_HOSTS 10000             /* hosts of one inventory, after ranges are expanded */
#define MP_MAX_GROUPS 1000             /* groups of one inventory */
#define MP_MAX_GROUP_WORDS 1000000     /* host names that they list together, ranges expanded */
#define MP_MAX_ALIASES 64              /* aliases of one host */
#define MP_MAX_EXTENDS 16              /* profiles that extend one another */
#define MP_MAX_INI_BYTES (8u << 20)    /* an inventory or profile file */
#define MP_MAX_INI_LINE 65536          /* one line of it */
#define MP_MAX_FRAME_BYTES (16u << 20) /* one message on the wire, either direction */
#define MP_MAX_EVENT_BYTES (64u << 20) /* what one request may be told before its reply, in all */
#define MP_MAX_BANNER_BYTES 65536      /* login noise before the agent's greeting */
#define MP_MAX_FILE_BYTES (4u << 20)   /* a managed file on a host */
#define MP_MAX_CHANGES 1000            /* changes of one step that are kept for the report */
#define MP_MAX_CHANGE_TEXT 4096        /* bytes of each text of such a change */
#define MP_MAX_JSON_DEPTH 64           /* nesting of a message */
#define MP_MAX_JSON_VALUES (1u << 20)  /* values in a message: a value takes about 100 bytes */
#define MP_MAX_SSH_CONFIG_BYTES (256u << 10) /* what ssh -G prints for one host */
#define MP_MAX_KNOWN_HOSTS_BYTES (64u << 20) /* a known_hosts file of the operator */
#define MP_MAX_KEY_FILE_BYTES 65536          /* a private key file of the operator */
#define MP_MAX_AGENT_REPLY_BYTES 262144      /* ssh-agent's own limit of a message */
#define MP_MAX_BUNDLE_BYTES (64u << 20)      /* the agent with its libraries */
#define MP_DEFAULT_FORKS 64                  /* workers: hosts talked to at once */
#define MP_DEFAULT_CONNECT_MS 10000          /* TCP connect and SSH key exchange of one host */
#define MP_DEFAULT_HOST_MS 60000             /* one conversation with one host */

#endif
