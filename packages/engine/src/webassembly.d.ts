/**
 * The part of the WebAssembly JavaScript interface (https://webassembly.github.io/spec/js-api/) that the engine uses:
 * TypeScript ships it only with the DOM, which would bring hundreds of browser globals into server code.
 */
declare namespace WebAssembly {
  interface ImportDescriptor {
    readonly kind: string;
    readonly module: string;
    readonly name: string;
  }

  interface ExportDescriptor {
    readonly kind: string;
    readonly name: string;
  }

  type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

  class Module {
    constructor(bytes: Uint8Array);
    static imports(module: Module): readonly ImportDescriptor[];
    static exports(module: Module): readonly ExportDescriptor[];
  }

  class Instance {
    constructor(module: Module, imports: Imports);
    readonly exports: Exports;
  }

  class Memory {
    constructor(limits: { readonly initial: number; readonly maximum: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }

  type Exports = Readonly<Record<string, unknown>>;

  class Global {
    constructor(type: { readonly value: 'i32'; readonly mutable: boolean }, value: number);
    value: number | bigint;
  }

  class Table {
    /** @returns how many elements it had. */
    grow(elements: number, value: unknown): number;
    /** @param value - a function that a module exports. */
    set(index: number, value: unknown): void;
  }

  class RuntimeError extends Error {}
  class CompileError extends Error {}

  /** An import that may return a promise: the stack is suspended until it is settled (JavaScript Promise Integration). */
  const Suspending: new (body: (...parameters: never[]) => unknown) => object;

  /** The export as a function that returns a promise, since its stack may be suspended. */
  function promising(exported: unknown): (...parameters: readonly unknown[]) => Promise<unknown>;

  function compile(bytes: Uint8Array): Promise<Module>;
  function validate(bytes: Uint8Array): boolean;
}
