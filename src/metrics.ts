// Health and metrics, on a loopback port of their own: never on the API's, because they need no signature.
import { createServer, type Server } from 'node:http';
import { Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Northbound } from './ovn/northbound.ts';
import type { Reconciler } from './reconcile/loop.ts';

export interface MetricsOptions {
  readonly port: number;
  readonly reconciler: Reconciler;
  readonly northbound: Northbound;
}

export interface Metrics {
  /** Notes one API request. `seconds` from first byte to answer. */
  request(command: string, status: number, seconds: number): void;
  readonly port: number;
  close(): void;
}

/** `/healthz`: the process answers. `/readyz`: OVN answers and the last pass succeeded. `/metrics`: Prometheus text. */
export async function serveMetrics({ port, reconciler, northbound }: MetricsOptions): Promise<Metrics> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'trunkline_' });
  const requests = new Histogram({
    name: 'trunkline_api_request_seconds',
    help: 'Time from request to answer, by command and HTTP status',
    labelNames: ['command', 'status'],
    buckets: [0.001, 0.003, 0.005, 0.01, 0.03, 0.1, 0.3, 1, 3],
    registers: [registry],
  });
  const gauge = (name: string, help: string, read: () => number): Gauge =>
    new Gauge({
      name: `trunkline_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  gauge('generation_desired', 'Generation of the intent last written', () => reconciler.status().desired);
  gauge('generation_realized', 'Generation up to which nothing is waited for', () => reconciler.status().realized);
  gauge('reconcile_passes', 'Passes since the start', () => reconciler.status().passes);
  gauge('reconcile_last_pass_seconds', 'Duration of the last pass', () => reconciler.status().lastDurationMs / 1000);
  gauge('reconcile_failing', 'Whether the last pass failed', () =>
    Number(reconciler.status().firstError !== undefined),
  );
  gauge('reconcile_waiting', 'Generations on their way', () => reconciler.status().waiting);
  gauge('ovn_writes', 'Rows written since the start', () => reconciler.status().writes);
  gauge('ovn_drift', 'Rows somebody else changed and we put back, since the start', () => reconciler.status().drift);
  gauge(
    'reconcile_surprises',
    'Full passes that found what no bell had told: each is a bug',
    () => reconciler.status().surprises,
  );
  gauge('ovn_connected', 'Whether the northbound database is connected', () => Number(northbound.status().connected));

  const ready = (): {
    ready: boolean;
    ovn: ReturnType<Northbound['status']>;
    reconcile: ReturnType<Reconciler['status']>;
  } => {
    const ovn = northbound.status();
    const reconcile = reconciler.status();
    return { ready: ovn.connected && reconcile.passes > 0 && reconcile.firstError === undefined, ovn, reconcile };
  };
  const server: Server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (path === '/healthz') return answer(200, 'text/plain', 'ok\n');
    if (path === '/readyz') {
      const state = ready();
      return answer(state.ready ? 200 : 503, 'application/json', `${JSON.stringify(state, undefined, 2)}\n`);
    }
    if (path !== '/metrics') return answer(404, 'text/plain', 'there is /healthz, /readyz and /metrics\n');
    registry.metrics().then(
      (text) => answer(200, registry.contentType, text),
      () => answer(500, 'text/plain', 'metrics could not be read\n'),
    );
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error: NodeJS.ErrnoException) =>
    reject(
      error.code === 'EADDRINUSE'
        ? new Error(`port ${port} for metrics is in use: choose another with --metrics-port`)
        : error,
    ),
  );
  server.listen(port, '127.0.0.1', resolve);
  await promise;
  const bound = server.address();
  return {
    request: (command, status, seconds) => requests.observe({ command, status: String(status) }, seconds),
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    close: () => void server.close(),
  };
}
