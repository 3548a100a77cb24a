/* Fetches a page three times with a pause between, like examples/02-core-assemblyscript, as an ordinary program. */
#include <stdio.h>
#include <unistd.h>

#include "mvm.h"

enum { rounds = 3, pause_us = 250000 };

int main(void) {
  char input[4096];
  size_t length = fread(input, 1, sizeof input - 1, stdin);
  input[length] = 0;
  char *url = mvm_json_text(input, "url");
  if (!url) {
    fprintf(stderr, "the input must be {\"url\":\"…\"}\n");
    return 2;
  }

  unsigned statuses[rounds], bytes[rounds];
  for (int round = 0; round < rounds; round += 1) {
    if (round > 0) usleep(pause_us);
    mvm_event answer = mvm_fetch(mvm_get(url));
    if (answer.type == mvm_failed) {
      fprintf(stderr, "%s: %s\n", answer.code, answer.message);
      return 1;
    }
    statuses[round] = answer.status;
    bytes[round] = answer.body_length;
    fprintf(stderr, "%d of %d: %u\n", round + 1, rounds, answer.status);
    mvm_free_event(&answer);
    mvm_progress(100.0 * (round + 1) / rounds, "fetched");
  }

  printf("{\"statuses\":[%u,%u,%u],\"bytes\":[%u,%u,%u]}\n", statuses[0], statuses[1], statuses[2], bytes[0], bytes[1],
         bytes[2]);
  free(url);
  return 0;
}
