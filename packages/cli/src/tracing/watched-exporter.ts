import type { Logger } from '@mvm-ci/protocol';
import type { SpanExporter } from '@opentelemetry/sdk-trace';

type Export = Parameters<SpanExporter['export']>;

/** An exporter that says when it begins to fail; what it could not send is dropped. */
export class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #logger: Pick<Logger, 'warn'>;
  #isFailing = false;

  constructor(exporter: SpanExporter, logger: Pick<Logger, 'warn'>) {
    this.#exporter = exporter;
    this.#logger = logger;
  }

  export(spans: Export[0], done: Export[1]): void {
    this.#exporter.export(spans, (result) => {
      const { error } = result;
      if (error && !this.#isFailing)
        this.#logger.warn(
          { spans: spans.length, err: error },
          'spans can not be sent: they are dropped until they can',
        );
      this.#isFailing = error !== undefined;
      done(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}
