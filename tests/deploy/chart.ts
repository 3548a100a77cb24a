/** The Helm chart, rendered: its objects as the tests look at them. */
import { fileURLToPath } from 'node:url';
import type { ChartTools } from './chart-tools.ts';

/** A variable of a container. */
interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

/** A container of a pod. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly Variable[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number; readonly protocol?: string }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly resources?: Readonly<Record<'requests' | 'limits', Readonly<Record<string, unknown>>>>;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
}

/** A volume of a pod. */
interface Volume {
  readonly name: string;
  readonly emptyDir?: object;
  readonly secret?: {
    readonly secretName: string;
    readonly defaultMode?: number;
    readonly items: readonly { readonly key: string; readonly path: string }[];
  };
  readonly configMap?: { readonly name: string };
}

/** A pod, as far as we look. */
export interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly terminationGracePeriodSeconds?: number;
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly securityContext?: Readonly<Record<string, unknown>>;
}

/** Labels by which objects name pods. */
export type Labels = Readonly<Record<string, string>>;

interface Rule {
  readonly ports: readonly { readonly port: string }[];
}

/** What the kinds that we look at have in their spec; each has some of it. */
export interface Spec extends PodSpec {
  readonly replicas?: number;
  readonly selector?: Labels & { readonly matchLabels?: Labels };
  readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  readonly volumeClaimTemplates?: readonly object[];
  readonly ports?: readonly { readonly targetPort: string }[];
  readonly podSelector?: { readonly matchLabels: Labels };
  readonly ingress?: readonly Rule[];
  readonly podMetricsEndpoints?: readonly { readonly port: string }[];
  readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
}

/** An object of Kubernetes. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Labels;
    readonly annotations?: Labels;
  };
  readonly spec?: Spec;
  readonly data?: Readonly<Record<string, string>>;
}

/** Where jobs run, in the words of values.yaml. */
export const engines = ['embedded', 'peer', 'pool', 'remote'] as const;
/** One of them. */
export type Engine = (typeof engines)[number];

/** The chart's folder. */
export const chartFolder: string = fileURLToPath(new URL('../../deploy/kubernetes/mvm-ci', import.meta.url));

/** Renders the chart under the release name `ci`. @param values as for `--set-json`, by path */
export const render = async (
  { helm, parseYaml }: ChartTools,
  values: Readonly<Record<string, unknown>> = {},
): Promise<readonly KubeObject[]> => {
  const flags = Object.entries(values).flatMap(([path, value]) => ['--set-json', `${path}=${JSON.stringify(value)}`]);
  const text = await helm('template', 'ci', chartFolder, '--namespace', 'jobs', ...flags);
  return parseYaml(text).map((object) => object as KubeObject);
};

/** The object of this kind and name (without the release's prefix), which must be there. */
export const objectOf = (objects: readonly KubeObject[], kind: string, name = ''): KubeObject => {
  const whole = ['ci-mvm-ci', name].filter(Boolean).join('-');
  const found = objects.find((object) => object.kind === kind && object.metadata.name === whole);
  if (found === undefined) throw new Error(`no ${kind} is named ${whole}`);
  return found;
};

/** The pod that an object makes; undefined when it makes none. */
export const podOf = ({ kind, spec }: KubeObject): PodSpec | undefined => {
  return kind === 'Pod' ? spec : spec?.template?.spec;
};

/** All containers of a pod, the first ones first. */
export const containersOf = (pod: PodSpec): readonly Container[] => [...(pod.initContainers ?? []), ...pod.containers];
