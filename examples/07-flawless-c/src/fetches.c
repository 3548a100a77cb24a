/*
 * Fetches a page three times with a pause between, on the interface of modules of the `flawless` crate: its exports, one
 * import, and commands in JSON. A Rust author writes none of this: the crate does. It shows what the engine expects.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))

/* Takes a command; writes place and length of its answer to `place_out` and `length_out`. 0 is success. */
__attribute__((import_module("wasabi"), import_name("submit"))) int32_t submit(const char *command, uint32_t length,
                                                                               char **place_out, uint32_t *length_out);

enum { rounds = 3 };

static char command[8192], answer[65536];

EXPORT("#flawless#module#flawless-fetches%_#_%1.0.0") void module_marker(void) {}

/* The engine asks for room, writes an answer there, and the module reads it before its next command. */
EXPORT("wasabi::alloc") char *wasabi_alloc(uint32_t capacity) {
  if (capacity >= sizeof answer) __builtin_trap();
  return answer;
}

EXPORT("#flawless#workflow#init#three_fetches") int32_t init_three_fetches(void) { return 0; }

static void ask(const char *text) {
  char *place;
  uint32_t length;
  if (submit(text, (uint32_t)strlen(text), &place, &length) != 0) __builtin_trap();
  answer[length] = 0;
}

static char *put(char *at, const char *text) {
  size_t length = strlen(text);
  memcpy(at, text, length + 1);
  return at + length;
}

static char *put_number(char *at, unsigned value) {
  if (value >= 10) at = put_number(at, value / 10);
  *at = (char)('0' + value % 10);
  at[1] = 0;
  return at + 1;
}

static void panic(const char *reason) {
  put(put(put(command, "{\"Log\":{\"Error\":\""), reason), "\"}}");
  ask(command);
  __builtin_trap();
}

/* Behind `name` in the answer. */
static char *field(const char *name) {
  char *found = strstr(answer, name);
  if (!found) panic("an answer without what it should have");
  return found + strlen(name);
}

/* The input is JSON text within JSON: {"String":"{\"url\":\"http://…\"}"}. */
static void read_url(char *url, size_t size) {
  ask("\"GetInput\"");
  char *from = field("\\\"url\\\":\\\"");
  char *end = strchr(from, '\\');
  if (!end || (size_t)(end - from) >= size) panic("the input must be {url}");
  memcpy(url, from, (size_t)(end - from));
  url[end - from] = 0;
}

static void fetch(const char *url) {
  char *at = put(command, "{\"HTTPRequest\":{\"config\":{\"idempotent\":true,\"timeout\":{\"secs\":120,\"nanos\":0},"
                          "\"response_body_limit\":10000000},\"method\":\"GET\",\"headers\":[],\"body\":\"\",\"url\":\"");
  put(put(at, url), "\"}}");
  ask(command);
}

EXPORT("#flawless#workflow#run#three_fetches") void run_three_fetches(void) {
  char url[1024], result[256];
  unsigned statuses[rounds], bytes[rounds];
  read_url(url, sizeof url);
  for (int round = 0; round < rounds; round += 1) {
    if (round > 0) ask("{\"Sleep\":{\"secs\":0,\"nanos\":250000000}}");
    fetch(url);
    statuses[round] = (unsigned)atoi(field("\"status_code\":"));
    /* Base64: four characters for three bytes. */
    char *body = field("\"body\":\"");
    unsigned characters = (unsigned)(strchr(body, '"') - body);
    unsigned padding = characters == 0 ? 0 : (body[characters - 1] == '=') + (body[characters - 2] == '=');
    bytes[round] = characters / 4 * 3 - padding;
  }
  char *at = put(result, "{\\\"statuses\\\":");
  for (int index = 0; index < rounds; index += 1) at = put_number(put(at, index ? "," : "["), statuses[index]);
  at = put(at, "],\\\"bytes\\\":");
  for (int index = 0; index < rounds; index += 1) at = put_number(put(at, index ? "," : "["), bytes[index]);
  put(at, "]}");
  put(put(put(command, "{\"SendResponse\":\""), result), "\"}");
  ask(command);
}
