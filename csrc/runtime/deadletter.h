/*
 * deadletter.h - records that can't become rows go to a topic of their own, as Kafka
 * Connect's do: errors.deadletterqueue.topic.name.
 *
 * A letter has the record's key, value, headers and timestamp as they were, and on demand
 * Connect's __connect.errors.* headers. Each window knows whether its letters are
 * acknowledged by all replicas: rule 11 of docs/exactly-once.md, whose other half is in
 * objects_letters.c. All of one task's letters go through one producer, which is made
 * with the first of them. One thread uses all of this, the task's.
 */
#ifndef PST_RUNTIME_DEADLETTER_H
#define PST_RUNTIME_DEADLETTER_H

#include "runtime/plugin.h"

typedef struct pst_deadletters pst_deadletters; /* of a task */
typedef struct pst_letters pst_letters;         /* of a window; NULL = it has none */

/* Looks for the topic and makes it, if it may. *out stays NULL where none is set. Both
   are borrowed. Retriable errors: call again. */
pst_rc pst_deadletters_new(pst_deadletters **out, const pst_connector_conf *connector,
                           const pst_task_env *env, pst_err *err) PST_MUST;
/* Letters on their way are dropped; the windows' pst_letters must be released before. */
void pst_deadletters_free(pst_deadletters *dead);

/* Queues a copy of the record; *window is made with its first letter. `why` it can't
   become a row. PST_E_LIMIT, retriable: there is no room yet, offer the record again
   after a pst_deadletters_poll(). */
pst_rc pst_deadletters_send(pst_deadletters *dead, pst_letters **window,
                            const pst_msg *msg, const pst_err *why,
                            pst_err *err) PST_MUST;
/* Hears of acknowledgements, never waits. What is overdue is told; where
   errors.retry.timeout is over in a run that is to end, it is an error. */
pst_rc pst_deadletters_poll(pst_deadletters *dead, pst_err *err) PST_MUST;
/* How long letters have failed, ms; 0 = they don't. */
int64_t pst_deadletters_failing_ms(const pst_deadletters *dead);
bool pst_deadletters_waiting(const pst_deadletters *dead); /* any letters on their way? */
int64_t pst_deadletters_sent(const pst_deadletters *dead); /* acknowledged so far */
int64_t pst_deadletters_lost(const pst_deadletters *dead); /* that failed: sent again */

/* Are all acknowledged? */
bool pst_letters_settled(const pst_letters *letters);
/* Why one could not be sent: then the window must not become durable. NULL = none yet. */
const pst_err *pst_letters_failed(const pst_letters *letters);
/* The window is gone. NULL is fine. */
void pst_letters_release(pst_letters *letters);

#endif
