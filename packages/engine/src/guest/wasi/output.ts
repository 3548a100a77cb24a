/** What a WASI program writes: stdout is its result, stderr its log. */
import { StringDecoder } from 'node:string_decoder';
import { limits } from '@mvm-ci/protocol';
import { engineLimits } from '../../limits.ts';
import { GuestFault } from '../guest.ts';

/** Collects stdout. */
export class ResultText {
  #text: Buffer = Buffer.alloc(0);
  #bytes = 0;

  /** @throws {GuestFault} `LIMIT_EXCEEDED` when it becomes more than a result may be */
  write(bytes: Uint8Array): void {
    const from = this.#bytes;
    this.#bytes += bytes.length;
    if (this.#bytes > limits.resultBytesMax)
      throw new GuestFault({
        code: 'LIMIT_EXCEEDED',
        message: `a program may write ${limits.resultBytesMax} bytes to its standard output, which is its result`,
        details: { what: 'bytes of standard output', limit: limits.resultBytesMax, received: this.#bytes },
      });
    // Not a list of what was written: programs write byte by byte, or nothing at all.
    if (this.#bytes > this.#text.length) this.#text = Buffer.concat([this.#text], 2 * this.#bytes);
    this.#text.set(bytes, from);
  }

  /** The result as canonical JSON: null when nothing was written, the text as a string when it isn't JSON. */
  get json(): string {
    const text = this.#text.toString('utf8', 0, this.#bytes);
    if (text.trim() === '') return 'null';
    try {
      return JSON.stringify(JSON.parse(text));
    } catch {
      return JSON.stringify(text.replace(/\r?\n$/, ''));
    }
  }
}

const pieceBytes = 65_536;

/** Cuts stderr into lines; a line that is longer than a log line may be becomes several. */
export class LogLines {
  readonly #emit: (line: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #last = '';

  constructor(emit: (line: string) => void) {
    this.#emit = emit;
  }

  /** The last line that was not empty. */
  get last(): string {
    return this.#last;
  }

  write(bytes: Uint8Array): void {
    // In pieces: the log is full long before all lines of a large buffer are cut.
    for (let at = 0; at < bytes.length; at += pieceBytes) this.#piece(bytes.subarray(at, at + pieceBytes));
  }

  #piece(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.write(Buffer.from(bytes))).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
    const { logCharsMax } = engineLimits;
    while (this.#rest.length > logCharsMax) {
      this.#line(this.#rest.slice(0, logCharsMax));
      this.#rest = this.#rest.slice(logCharsMax);
    }
  }

  /** The program ended: what has no line end is a line too. */
  end(): void {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    if (rest !== '') this.#line(rest);
  }

  #line(text: string): void {
    const line = text.endsWith('\r') ? text.slice(0, -1) : text;
    for (let at = 0; at === 0 || at < line.length; at += engineLimits.logCharsMax)
      this.#emit(line.slice(at, at + engineLimits.logCharsMax).toWellFormed());
    if (line.trim() !== '') this.#last = line.slice(0, engineLimits.logCharsMax);
  }
}
