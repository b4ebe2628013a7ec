/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * answer: whether the host that answered is the host meant. With two addresses interchanged, or one
 * machine entered twice, each would be changed as what it is not, and its key spread under the
 * other's name.
 */
#ifndef MP_MODEL_ANSWER_H
#define MP_MODEL_ANSWER_H

#include "model/world.h"

/*
 * Sets errs[i] (of inv->n_hosts) for each reached host that is not what the inventory takes it for;
 * the others stay untouched. A host may call itself what it likes, but not by a name of another
 * host unless that is its own, too. One machine: what no two machines share, all together, is
 * equal. Returns how many. Pure.
 */
size_t mp_answers_judge(const struct mp_world *w, struct mp_err *errs);

#endif
