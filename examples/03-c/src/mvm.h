/*
 * mvm.h - durable workflows in C, for both kinds of modules that a C compiler makes.
 *
 * A `wasi` module is a program: it has main(), reads its input from stdin, prints its result, and calls the functions of
 * part 3, which wait. A `core` module (define MVM_CORE before the include) is a step machine: it exports mvm_alloc() and
 * mvm_step(), and writes intents and reads events by parts 1 and 2. The bytes are those of docs/internals/step-machine.md.
 *
 * Part 1 writes intents, part 2 reads events. Texts that the functions return are allocated; free() them. When memory
 * runs out the program traps, and its attempt fails.
 */
#ifndef MVM_H
#define MVM_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *mvm_allocate(size_t length) {
  void *place = malloc(length > 0 ? length : 1);
  if (!place) __builtin_trap();
  return place;
}

/* --- 1. Writing intents ------------------------------------------------------------------------------------------------ */

/* Bytes that grow. Begin with mvm_begin(), add intents, and give bytes and length away. */
typedef struct {
  uint8_t *bytes;
  uint32_t length;
  uint32_t capacity;
} mvm_intents;

static void mvm_raw(mvm_intents *out, const void *bytes, uint32_t length) {
  if (out->capacity - out->length < length) {
    out->capacity = 2 * out->capacity + length;
    out->bytes = realloc(out->bytes, out->capacity);
    if (!out->bytes) __builtin_trap();
  }
  if (length > 0) memcpy(out->bytes + out->length, bytes, length);
  out->length += length;
}

static void mvm_u8(mvm_intents *out, uint8_t value) { mvm_raw(out, &value, 1); }
static void mvm_u32(mvm_intents *out, uint32_t value) { mvm_raw(out, &value, 4); }
static void mvm_f64(mvm_intents *out, double value) { mvm_raw(out, &value, 8); }
static void mvm_bytes(mvm_intents *out, const void *bytes, uint32_t length) {
  mvm_u32(out, length);
  mvm_raw(out, bytes, length);
}
static void mvm_text(mvm_intents *out, const char *text) { mvm_bytes(out, text, (uint32_t)strlen(text)); }

/* Begins a list of intents; each of the functions below adds one to it. */
static void mvm_begin(mvm_intents *out) {
  out->length = 0;
  mvm_u8(out, 1);
  mvm_u32(out, 0);
}

static void mvm_one_more(mvm_intents *out, uint8_t tag) {
  uint32_t count;
  memcpy(&count, out->bytes + 1, 4);
  count += 1;
  memcpy(out->bytes + 1, &count, 4);
  mvm_u8(out, tag);
}

/* A request. Start from mvm_get() or mvm_post() and change what should be otherwise. */
typedef struct {
  const char *method;
  const char *url;
  const char *const (*headers)[2]; /* name and value */
  uint32_t header_count;
  const void *body; /* NULL: none */
  uint32_t body_length;
  uint32_t timeout_ms;
  uint8_t idempotent; /* 0 no, 1 yes: sent again after a crash, 2 by its method */
  const char *key;    /* Idempotency-Key; NULL: made of job, attempt and call */
} mvm_request;

static mvm_request mvm_get(const char *url) {
  mvm_request request = {.method = "GET", .url = url, .timeout_ms = 120000, .idempotent = 2};
  return request;
}

static mvm_request mvm_post(const char *url, const void *body, uint32_t length) {
  mvm_request request = mvm_get(url);
  request.method = "POST";
  request.body = body;
  request.body_length = length;
  return request;
}

/* `call`: of a core module its next call number; of a wasi module any number, the host numbers the calls. */
static void mvm_add_fetch(mvm_intents *out, uint32_t call, const mvm_request *request) {
  mvm_one_more(out, 0);
  mvm_u32(out, call);
  mvm_text(out, request->method);
  mvm_text(out, request->url);
  mvm_u32(out, request->header_count);
  for (uint32_t index = 0; index < request->header_count; index += 1) {
    mvm_text(out, request->headers[index][0]);
    mvm_text(out, request->headers[index][1]);
  }
  mvm_u8(out, request->body != NULL);
  if (request->body) mvm_bytes(out, request->body, request->body_length);
  mvm_u8(out, 0); /* follows redirects */
  mvm_u32(out, request->timeout_ms);
  mvm_u8(out, request->idempotent);
  mvm_u8(out, request->key != NULL);
  if (request->key) mvm_text(out, request->key);
}

static void mvm_add_sleep(mvm_intents *out, uint32_t call, double ms) {
  mvm_one_more(out, 1);
  mvm_u32(out, call);
  mvm_f64(out, ms);
}

/* The answer of `call` is no longer wanted. */
static void mvm_add_abandon(mvm_intents *out, uint32_t call) {
  mvm_one_more(out, 2);
  mvm_u32(out, call);
}

/* `level`: 0 debug, 1 info, 2 warn, 3 error */
static void mvm_add_log(mvm_intents *out, uint8_t level, const char *text) {
  mvm_one_more(out, 3);
  mvm_u8(out, level);
  mvm_text(out, text);
}

static void mvm_add_progress(mvm_intents *out, double percent, const char *text) {
  mvm_one_more(out, 4);
  mvm_f64(out, percent);
  mvm_text(out, text);
}

/* The end of a core module. A wasi module prints its result instead. */
static void mvm_add_complete(mvm_intents *out, const char *json) {
  mvm_one_more(out, 5);
  mvm_text(out, json);
}

static void mvm_add_fail(mvm_intents *out, const char *code, const char *message) {
  mvm_one_more(out, 6);
  mvm_text(out, code);
  mvm_text(out, "Error");
  mvm_text(out, message);
  mvm_text(out, "");
}

/* Waits for a message; `types` ends with NULL, NULL instead of the list is any type. */
static void mvm_add_receive(mvm_intents *out, uint32_t call, const char *const *types) {
  mvm_one_more(out, 8);
  mvm_u32(out, call);
  mvm_u8(out, types != NULL);
  if (!types) return;
  uint32_t count = 0;
  while (types[count]) count += 1;
  mvm_u32(out, count);
  for (uint32_t index = 0; index < count; index += 1) mvm_text(out, types[index]);
}

/* Starts a job of another workflow; it is cancelled when this one ends, unless `detached`. `input` is JSON text. */
static void mvm_add_start(mvm_intents *out, uint32_t call, const char *workflow, const char *input, int detached) {
  mvm_one_more(out, 9);
  mvm_u32(out, call);
  mvm_u8(out, 0); /* its id is made of job, attempt and call */
  mvm_text(out, workflow);
  mvm_text(out, input);
  mvm_u32(out, 1); /* attempts */
  mvm_u8(out, detached != 0);
}

/* Waits for the end of a job that this attempt started. */
static void mvm_add_join(mvm_intents *out, uint32_t call, const char *job) {
  mvm_one_more(out, 10);
  mvm_u32(out, call);
  mvm_text(out, job);
}

/* Puts a message into another job's inbox. */
static void mvm_add_send(mvm_intents *out, uint32_t call, const char *job, const char *type, const char *json) {
  mvm_one_more(out, 11);
  mvm_u32(out, call);
  mvm_text(out, job);
  mvm_text(out, type);
  mvm_text(out, json);
}

/* An early result, for who waits for one; JSON text. */
static void mvm_add_respond(mvm_intents *out, const char *json) {
  mvm_one_more(out, 12);
  mvm_text(out, json);
}

/* Begins or ends a named part of the timeline; `id` is a number of your own, from 1. */
static void mvm_add_group(mvm_intents *out, int is_end, uint32_t id, const char *name) {
  mvm_one_more(out, 13);
  mvm_u8(out, is_end != 0);
  mvm_u32(out, id);
  mvm_text(out, is_end ? "" : name);
}

/* Of a core module: asks whether it may run the code that knows this change. */
static void mvm_add_version(mvm_intents *out, const char *change) {
  mvm_one_more(out, 14);
  mvm_text(out, change);
}

/* --- 2. Reading events ------------------------------------------------------------------------------------------------- */

/* A place in an activation. The host writes activations, so they are whole; a reader never goes beyond `length`. */
typedef struct {
  const uint8_t *bytes;
  uint32_t length;
  uint32_t at;
} mvm_reader;

static const uint8_t *mvm_take(mvm_reader *in, uint32_t length) {
  if (in->length - in->at < length) __builtin_trap();
  in->at += length;
  return in->bytes + in->at - length;
}

static uint8_t mvm_read_u8(mvm_reader *in) { return *mvm_take(in, 1); }
static uint32_t mvm_read_u32(mvm_reader *in) {
  uint32_t value;
  memcpy(&value, mvm_take(in, 4), 4);
  return value;
}
static double mvm_read_f64(mvm_reader *in) {
  double value;
  memcpy(&value, mvm_take(in, 8), 8);
  return value;
}

/* A copy with a zero behind it, which `length` (may be NULL) does not count. */
static char *mvm_read_text(mvm_reader *in, uint32_t *length) {
  uint32_t count = mvm_read_u32(in);
  const uint8_t *bytes = mvm_take(in, count);
  char *text = mvm_allocate((size_t)count + 1);
  memcpy(text, bytes, count);
  text[count] = 0;
  if (length) *length = count;
  return text;
}

typedef enum {
  mvm_start = 0,
  mvm_fetched = 1,
  mvm_slept = 2,
  mvm_failed = 3,
  mvm_message = 4,
  mvm_started = 5,
  mvm_joined = 6,
  mvm_sent = 7,
  mvm_versioned = 8
} mvm_event_type;

/* What happened. Which fields are set depends on `type`; mvm_free_event() frees them all. */
typedef struct {
  mvm_event_type type;
  uint32_t call;          /* the call that is answered; 0 of `start` and `versioned` */
  char *workflow, *input; /* start: the entry point, and JSON text */
  uint32_t status;        /* fetched */
  char *body;             /* fetched: also of a 404; message, and joined with success: JSON text */
  uint32_t body_length;
  char *message_type; /* message */
  char *job;            /* started: the job; message: the job that sent it, NULL when it came from outside */
  char *code, *message; /* failed; joined without success: `code` is CANCELLED for a job that was cancelled */
  char *change;         /* versioned */
  uint8_t chosen;       /* versioned: whether the code that knows the change may run */
} mvm_event;

static void mvm_read_start(mvm_reader *in, mvm_event *event) {
  free(mvm_read_text(in, NULL)); /* job */
  mvm_read_u32(in);              /* attempt */
  event->workflow = mvm_read_text(in, NULL);
  event->input = mvm_read_text(in, NULL);
  mvm_take(in, 32); /* seed */
}

static void mvm_read_fetched(mvm_reader *in, mvm_event *event) {
  event->status = mvm_read_u32(in);
  free(mvm_read_text(in, NULL)); /* status text */
  free(mvm_read_text(in, NULL)); /* final URL */
  mvm_read_u8(in);               /* redirected */
  for (uint32_t left = 2 * mvm_read_u32(in); left > 0; left -= 1) free(mvm_read_text(in, NULL));
  event->body = mvm_read_text(in, &event->body_length);
}

static void mvm_read_joined(mvm_reader *in, mvm_event *event) {
  uint8_t outcome = mvm_read_u8(in);
  if (outcome == 0) event->body = mvm_read_text(in, &event->body_length);
  if (outcome == 1) event->code = mvm_read_text(in, NULL);
  if (outcome == 2) {
    event->code = mvm_allocate(sizeof "CANCELLED");
    memcpy(event->code, "CANCELLED", sizeof "CANCELLED");
  }
  if (outcome != 0) event->message = mvm_read_text(in, NULL);
}

static mvm_event mvm_read_event(mvm_reader *in) {
  mvm_event event = {.type = (mvm_event_type)mvm_read_u8(in)};
  if (event.type == mvm_start) {
    mvm_read_start(in, &event);
    return event;
  }
  if (event.type == mvm_versioned) {
    event.change = mvm_read_text(in, NULL);
    event.chosen = mvm_read_u8(in);
    return event;
  }
  event.call = mvm_read_u32(in);
  if (event.type == mvm_fetched) mvm_read_fetched(in, &event);
  if (event.type == mvm_failed) {
    event.code = mvm_read_text(in, NULL);
    event.message = mvm_read_text(in, NULL);
  }
  if (event.type == mvm_message) {
    if (mvm_read_u8(in)) event.job = mvm_read_text(in, NULL);
    event.message_type = mvm_read_text(in, NULL);
    event.body = mvm_read_text(in, &event.body_length);
  }
  if (event.type == mvm_started) event.job = mvm_read_text(in, NULL);
  if (event.type == mvm_joined) mvm_read_joined(in, &event);
  return event;
}

/* The number of events in an activation; `now` (may be NULL) gets the time in ms. */
static uint32_t mvm_read_activation(mvm_reader *in, double *now) {
  if (mvm_read_u8(in) != 1) __builtin_trap();
  double time = mvm_read_f64(in);
  if (now) *now = time;
  return mvm_read_u32(in);
}

static void mvm_free_event(mvm_event *event) {
  free(event->workflow);
  free(event->input);
  free(event->body);
  free(event->message_type);
  free(event->code);
  free(event->message);
  free(event->job);
  free(event->change);
  memset(event, 0, sizeof *event);
}

/* The text of the first `"key": "text"` in `json`, or NULL. For inputs like {"url":"…"}; take a JSON library for more. */
static char *mvm_json_text(const char *json, const char *key) {
  size_t length = strlen(key);
  for (const char *at = strchr(json, '"'); at; at = strchr(at + 1, '"')) {
    if (strncmp(at + 1, key, length) != 0 || at[length + 1] != '"') continue;
    at += length + 2;
    at += strspn(at, " \t\r\n:");
    if (*at != '"') return NULL;
    char *text = mvm_allocate(strlen(at));
    size_t used = 0;
    for (at += 1; *at && *at != '"'; at += 1) {
      if (*at == '\\' && at[1]) at += 1;
      text[used++] = *at;
    }
    text[used] = 0;
    return text;
  }
  return NULL;
}

/* --- 3. Calls that wait: wasi modules ---------------------------------------------------------------------------------- */

#ifndef MVM_CORE

#define MVM_IMPORT(name) __attribute__((import_module("mvm"), import_name(name)))
MVM_IMPORT("submit") uint32_t mvm_host_submit(const void *intents, uint32_t length);
MVM_IMPORT("wait") uint32_t mvm_host_wait(uint32_t call);
MVM_IMPORT("read") uint32_t mvm_host_read(void *place, uint32_t length);
MVM_IMPORT("version") uint32_t mvm_host_version(const char *change, uint32_t length);

static mvm_intents mvm_pending;

/* Asks for what was added to `intents` after mvm_begin(). Returns the number of the first call; others follow it. */
static uint32_t mvm_submit(const mvm_intents *intents) { return mvm_host_submit(intents->bytes, intents->length); }

/* Waits until `call` is answered; 0: until any call is. */
static mvm_event mvm_wait(uint32_t call) {
  uint32_t length = mvm_host_wait(call);
  uint8_t *bytes = mvm_allocate(length);
  mvm_reader in = {.bytes = bytes, .length = mvm_host_read(bytes, length)};
  mvm_read_activation(&in, NULL);
  mvm_event event = mvm_read_event(&in);
  free(bytes);
  return event;
}

/* Starts a request and does not wait: several may be in flight. */
static uint32_t mvm_start_fetch(const mvm_request *request) {
  mvm_begin(&mvm_pending);
  mvm_add_fetch(&mvm_pending, 1, request);
  return mvm_submit(&mvm_pending);
}

/* A request and its answer: `fetched`, or `failed` with a code such as CONNECTION_LOST. */
static mvm_event mvm_fetch(mvm_request request) { return mvm_wait(mvm_start_fetch(&request)); }

/* Durable, from milliseconds to years; sleep() and nanosleep() do the same. */
static void mvm_sleep(double ms) {
  mvm_begin(&mvm_pending);
  mvm_add_sleep(&mvm_pending, 1, ms);
  mvm_event slept = mvm_wait(mvm_submit(&mvm_pending));
  mvm_free_event(&slept);
}

/* Starts a job of another workflow: `started` with its id, or `failed`. */
static mvm_event mvm_start_job(const char *workflow, const char *input) {
  mvm_begin(&mvm_pending);
  mvm_add_start(&mvm_pending, 1, workflow, input, 0);
  return mvm_wait(mvm_submit(&mvm_pending));
}

static mvm_event mvm_join(const char *job) {
  mvm_begin(&mvm_pending);
  mvm_add_join(&mvm_pending, 1, job);
  return mvm_wait(mvm_submit(&mvm_pending));
}

static mvm_event mvm_send(const char *job, const char *type, const char *json) {
  mvm_begin(&mvm_pending);
  mvm_add_send(&mvm_pending, 1, job, type, json);
  return mvm_wait(mvm_submit(&mvm_pending));
}

static void mvm_respond(const char *json) {
  mvm_begin(&mvm_pending);
  mvm_add_respond(&mvm_pending, json);
  mvm_submit(&mvm_pending);
}

/* Waits for a message whose type is in the list, which ends with NULL; NULL instead of the list is any type. */
static mvm_event mvm_receive(const char *const *types) {
  mvm_begin(&mvm_pending);
  mvm_add_receive(&mvm_pending, 1, types);
  return mvm_wait(mvm_submit(&mvm_pending));
}

/* 1 when the program may run the code that knows this change, 0 when its attempt began with code that doesn't. */
static int mvm_version(const char *change) { return mvm_host_version(change, (uint32_t)strlen(change)) == 1; }

static void mvm_log(uint8_t level, const char *text) {
  mvm_begin(&mvm_pending);
  mvm_add_log(&mvm_pending, level, text);
  mvm_submit(&mvm_pending);
}

static void mvm_progress(double percent, const char *text) {
  mvm_begin(&mvm_pending);
  mvm_add_progress(&mvm_pending, percent, text);
  mvm_submit(&mvm_pending);
}

#endif
#endif
