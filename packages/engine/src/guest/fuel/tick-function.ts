/**
 * What metered code calls at the end of a slice: only a WebAssembly function can stand in a table. V8 suspends the stack at each call of a
 * `WebAssembly.Suspending`, so `turn` is called only when `tick` says that the guest's turn is over:
 *
 *     (module
 *       (import "" "tick" (func $tick (result i32)))
 *       (import "" "turn" (func $turn))
 *       (func (export "tick") (if (call $tick) (then (call $turn)))))
 */
const module = new WebAssembly.Module(
  Uint8Array.fromHex(
    '0061736d010000000108026000017f60000002110200047469636b000000047475726e00010302010107' +
      '0801047469636b00020a0b0109001000044010010b0b',
  ),
);

export interface Tick {
  /** The slice is used up. Returns whether the turn is over. */
  readonly tick: () => boolean;
  /** Resolves in the guest's next turn. */
  readonly turn: () => Promise<void> | undefined;
}

/** @returns a function that calls both, for a table. */
export const tickFunction = ({ tick, turn }: Tick): unknown => {
  const imports = { tick, turn: new WebAssembly.Suspending(turn) };
  return new WebAssembly.Instance(module, { '': imports }).exports['tick'];
};
