/** `@mvm-ci/sdk/globals`: the globals of a workflow, and what `fetch` takes here beside the options of the Fetch standard. */
import './globals.d.ts';
export type { FetchExtras } from '../src/http/fetch-extras.ts';
