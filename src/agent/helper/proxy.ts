// The helper's balancers: one haproxy in its namespace, for all that OVN leads to it. Pure.
import type { HelperSpec } from '../../protocol/helper.ts';
import { haproxyFile, listenLines } from '../haproxy.ts';
import type { Daemon } from '../router/daemon.ts';
import { type HelperContext, folderOf, keyOf, netnsOf, proxyFile } from './names.ts';

/** Where a new process asks the one before who stays where. Never told to anybody outside of the namespace. */
const MEMORY_PORT = 9999;
/** Where nobody asked for another: members are several hops away, on hypervisors that may be busy. A dead one is out in three seconds. */
const CHECK = { intervalSeconds: 1, timeoutSeconds: 1, healthy: 1, unhealthy: 3 } as const;
/** A helper is one router's. */
const MOST = 20_000;
/** Of its balancers one is not to take what all have: each connection is two open files. */
const MOST_EACH = 4000;

export function proxyOf(spec: HelperSpec, context: HelperContext): Daemon {
  const key = keyOf(spec.id);
  const { balancers = [] } = spec.jobs;
  const path = proxyFile(key, context);
  const folder = folderOf(key, context);
  const { content, ready } = haproxyFile({
    socket: `${folder}/haproxy.sock`,
    dropRoot: context.canDropRoot,
    most: MOST,
    memory: MEMORY_PORT,
    sections: balancers.flatMap((one) =>
      listenLines(`${addressOf(spec)}:${one.port}`, one, { kept: true, failOpen: true, check: CHECK, most: MOST_EACH }),
    ),
  });
  return {
    name: 'haproxy',
    purpose: 'balancers that count connections or read them',
    files: balancers.length === 0 ? undefined : [{ path, content, check: ['haproxy', '-c', '-f'], load: 'signal' }],
    start: [
      'nsenter',
      `--net=/run/netns/${netnsOf(key, context)}`,
      'haproxy',
      '-W',
      '-D',
      '-f',
      path,
      '-p',
      `${folder}/haproxy.pid`,
    ],
    signal: 'USR2',
    ready,
  };
}

function addressOf({ address }: HelperSpec): string {
  return address.split('/')[0]!;
}
