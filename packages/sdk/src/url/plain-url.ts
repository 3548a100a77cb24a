/**
 * URLs that the parser would give back as they are: what nearly every request has. Parsing one takes an interpreted guest
 * thirty times as long as seeing that it needn't.
 *
 * Host in lower-case ASCII, its last label beginning with a letter (so no IPv4 address), a port of up to four digits that
 * is no scheme's own, a path without dot segments; no credentials, no fragment, nothing that would be encoded.
 */
const plainUrl =
  /^https?:\/\/(?:[a-z\d-]+\.)*[a-z][a-z\d-]*(?::(?!(?:80|443)\/)[1-9]\d{0,3})?(?:\/(?![.%])[\w.~!$&'()*+,;=:@%-]*)+(?:\?[\w.~!$&()*+,;=:@%/?-]*)?$/;

/** Whether `text` is such a URL. */
export const isPlainHttpUrl = (text: string): boolean => plainUrl.test(text);
