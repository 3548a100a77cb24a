export { buildCore, type CoreParts } from './build-core.ts';
export { buildWorkflow, type BuildOptions, type BuiltModule } from './build-workflow.ts';
export { guestRuntime } from './guest-runtime.ts';
export { moduleOfWasm, type WasmModule } from './module-of-wasm.ts';
