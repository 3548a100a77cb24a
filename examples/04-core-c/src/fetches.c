/*
 * The same three fetches as a step machine: a module without imports. Between two steps it is at rest, so an engine may
 * drop it, move it, or start it from a snapshot. What the program of examples/03-c keeps on its stack, it keeps in `state`.
 */
#define MVM_CORE
#include "../../03-c/src/mvm.h"

enum { rounds = 3 };

static struct {
  char *url;
  unsigned round, calls;
  unsigned statuses[rounds], bytes[rounds];
} state;

static mvm_intents intents;
static uint8_t *activation;

__attribute__((export_name("mvm_alloc"))) uint8_t *mvm_alloc(uint32_t length) {
  free(activation);
  activation = mvm_allocate(length);
  return activation;
}

static void fetch(void) {
  mvm_request request = mvm_get(state.url);
  mvm_add_fetch(&intents, ++state.calls, &request);
}

/* Without printf, which would import functions of WASI. */
static void put(char **at, const char *text) {
  while (*text) *(*at)++ = *text++;
}
static void put_number(char **at, unsigned value) {
  if (value >= 10) put_number(at, value / 10);
  *(*at)++ = (char)('0' + value % 10);
}
static void put_list(char **at, const char *name, const unsigned *values) {
  put(at, name);
  for (int index = 0; index < rounds; index += 1) {
    put(at, index == 0 ? "[" : ",");
    put_number(at, values[index]);
  }
  put(at, "]");
}

static void complete(void) {
  char result[256], *at = result;
  put_list(&at, "{\"statuses\":", state.statuses);
  put_list(&at, ",\"bytes\":", state.bytes);
  put(&at, "}");
  *at = 0;
  mvm_add_complete(&intents, result);
}

static void receive(const mvm_event *event) {
  switch (event->type) {
    case mvm_start:
      state.url = mvm_json_text(event->input, "url");
      if (state.url) fetch();
      else mvm_add_fail(&intents, "WORKFLOW_FAILED", "the input must be {\"url\":\"…\"}");
      break;
    case mvm_fetched:
      state.statuses[state.round] = event->status;
      state.bytes[state.round] = event->body_length;
      state.round += 1;
      mvm_add_progress(&intents, 100.0 * state.round / rounds, "fetched");
      if (state.round == rounds) complete();
      else mvm_add_sleep(&intents, ++state.calls, 250);
      break;
    case mvm_slept:
      fetch();
      break;
    default:
      mvm_add_fail(&intents, event->code ? event->code : "WORKFLOW_FAILED", event->message ? event->message : "");
  }
}

__attribute__((export_name("mvm_step"))) uint64_t mvm_step(const uint8_t *bytes, uint32_t length) {
  mvm_reader in = {.bytes = bytes, .length = length};
  mvm_begin(&intents);
  for (uint32_t left = mvm_read_activation(&in, NULL); left > 0; left -= 1) {
    mvm_event event = mvm_read_event(&in);
    receive(&event);
    mvm_free_event(&event);
  }
  return (uint64_t)(uintptr_t)intents.bytes << 32 | intents.length;
}
