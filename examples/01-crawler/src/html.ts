/**
 * Reads the title and the links of an HTML page by scanning its tags. A whole parser (htmlparser2) works in a workflow
 * too, but takes some 60 ms for a page of 60 KB in an interpreted guest, and this 2 ms. It knows comments, raw text
 * elements, the three forms of attribute values and the usual character references; it builds no tree.
 */

/** What a crawler wants of a page. */
export interface PageFacts {
  readonly title: string;
  /** The `href` of each `a` and `area`, as written, references resolved. */
  readonly hrefs: readonly string[];
}

// In this order: a comment; a raw text element with all that is in it; a title; a link's start tag.
const interesting =
  /<!--[^]*?(?:-->|$)|<(script|style|template|textarea|noscript)\b[^]*?(?:<\/\1\s*>|$)|<title\b[^>]*>([^<]*)|<(?:a|area)\s((?:"[^"]*"|'[^']*'|[^"'>])*)>/gi;
const hrefAttribute = /(?:^|[\s"'])href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i;

/** The facts of the page in `html`. */
export const readPage = (html: string): PageFacts => {
  const hrefs: string[] = [];
  let title: string | undefined;
  for (const [, , titleText, attributes] of html.matchAll(interesting)) {
    if (titleText !== undefined) title ??= plainText(titleText);
    const href = attributes === undefined ? null : hrefAttribute.exec(attributes);
    if (href) hrefs.push(plainText(href[1] ?? href[2] ?? href[3] ?? ''));
  }
  return { title: title ?? '', hrefs };
};

const named = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', '\u00a0'],
]);

const plainText = (text: string): string =>
  text
    .replace(/&(#\d{1,7}|#x[\da-f]{1,6}|\w{1,8});/gi, (whole: string, reference: string) =>
      reference.startsWith('#') ? character(reference.slice(1)) : (named.get(reference) ?? whole),
    )
    .replace(/\s+/g, ' ')
    .trim();

const character = (digits: string): string => {
  const point = /^x/i.test(digits) ? Number.parseInt(digits.slice(1), 16) : Number(digits);
  return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
};
