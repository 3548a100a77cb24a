/** The modules: what was deployed. */
import { routePath, type DeployedModule } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { get } from '../api/request.ts';
import { bytesText, shortId } from '../format/value.ts';
import { useLive } from '../live/use-live.ts';
import { Empty, ErrorNote } from '../parts/notice.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, useNow } from '../parts/time.tsx';
import { jobsPath } from '../paths.ts';

const everyMs = 10_000;

/** The page with all deployments, the last one first. */
export const ModulesPage = (): VNode => {
  const path = routePath('modules');
  const { value, error } = useLive(path, (signal) => get<readonly DeployedModule[]>(path, signal), {
    everyMs,
    concerns: () => false,
  });
  const now = useNow();
  return (
    <>
      <h1>Modules</h1>
      <ErrorNote message={error} />
      {value === undefined || value.length === 0 ? (
        <Empty isLoading={value === undefined && error === undefined}>Nothing was deployed yet.</Empty>
      ) : (
        <Table
          caption="Deployments, the last one first"
          columns={['Module', 'Version', 'Workflows', 'Kind', 'Size', 'Hash', 'Deployed']}
        >
          {value.map((one) => (
            <tr key={`${one.name}@${one.version}`}>
              <td>
                <a href={jobsPath({ module: one.name })}>{one.name}</a>
              </td>
              <td>{one.version}</td>
              <td>{one.workflows.join(', ')}</td>
              <td>
                {one.kind} <span class="quiet">{one.runtime}</span>
              </td>
              <td>{bytesText(one.bytes)}</td>
              <td class="id" title={one.hash}>
                {shortId(one.hash)}
              </td>
              <td>
                <Ago at={one.deployed_at_ms} now={now} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
};
