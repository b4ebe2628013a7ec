/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * journal: what was changed on a host, written and synced before the change, so that a later run
 * can put it back.
 *
 * /var/lib/migprep/journal/        0700; locked by flock(2) while a run writes here
 *     NNNNNNNNNNNN-RESOURCE/       one transaction, 0700; the number grows by one with each
 *         log                      lines of JSON, 0600; a last line without newline never happened
 *         N.old                    the old content of entry N, 0600; none of a secret
 * Old content may have passwords in it (nova.conf has), so nobody but root may look.
 *
 * First line of a log:
 *   {"journal":1,"resource":ID,"run":TEXT,"pid":N,"started":"2026-11-20T10:05:54Z"}
 *   ("run" is equal in all transactions of one run, so undo knows what belongs together;
 *   "unsettled":[NAME...] names transactions that this run could not read: they were put aside as
 *   unsettled-NNNNNNNNNNNN-RESOURCE, for a person to look at, and are never removed)
 * Then, before each change:
 *   {"n":N,"op":"write","path":P,"tmp":NAME,"existed":B,"secret":B,"new_sha256":H,
 *    "old_sha256":H,"mode":"0644","uid":N,"gid":N,"mtime":"SECONDS.NANOSECONDS"}
 *      path has no symbolic links; tmp is the temporary file beside it; the digests are left out
 * for secrets; from old_sha256 on only where the file existed
 *   {"n":N,"op":"mkdir","path":P,"tmp":NAME,"existed":false}
 *   {"n":N,"op":"attr","path":P,"existed":true,"mode":"0755","uid":N,"gid":N}      the old ones
 *   {"n":N,"op":"label","path":P,"before":CONTEXT,"after":CONTEXT}
 *   {"n":N,"op":"note","what":TEXT,"before":JSON,"after":JSON}
 * After it:
 *   {"did":N} and, for a write, "ino":N,"mtime":TEXT of the new file
 * Last line, where the run came that far:
 *   {"state":"done"|"failed","ended":TIME}, or "crashed", added by the next run, which also
 *   removes the temporary files that the crashed one may have left.
 * A transaction without any change leaves no directory. The newest 50 are kept.
 */
#ifndef MP_HOST_JOURNAL_H
#define MP_HOST_JOURNAL_H

#include <jansson.h>

#include "host/host.h"

#define MP_STATE_DIR "/var/lib/migprep"
#define MP_JOURNAL_DIR MP_STATE_DIR "/journal"
#define MP_JOURNAL_KEEP 50

struct mp_journal;

void mp_journal_close(struct mp_journal *j);

/*
 * Before a change: entry is stolen; old (NULL: nothing to keep) goes to N.old. On success N in
 * *ret_n. MP_E_BUG outside mp_sys_begin() .. mp_sys_end().
 */
int mp_journal_entry(struct mp_sys *sys, json_t *entry, const void *old, size_t old_size,
		     int *ret_n, struct mp_err *err);

/* After it; st may be NULL. */
int mp_journal_did(struct mp_sys *sys, int n, const struct stat *st, struct mp_err *err);

#endif
