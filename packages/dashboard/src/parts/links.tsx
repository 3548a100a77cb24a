/** Links to what other pages show. */
import type { VNode } from 'preact';
import { shortId } from '../format/value.ts';
import { jobPath, paths } from '../paths.ts';

/** A job's id, which leads to its page. */
export const JobLink = ({ id }: { readonly id: string }): VNode => (
  <a class="id" href={jobPath(id)}>
    {id}
  </a>
);

/** A worker, by the name that it is known by, which leads to the workers. */
export const NodeLink = ({ node }: { readonly node: string | null }): VNode =>
  node === null ? (
    <span class="quiet">–</span>
  ) : (
    <a class="id" href={paths.nodes} title={node}>
      {shortId(node)}
    </a>
  );
