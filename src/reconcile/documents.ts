// The node documents of the newest intent: each changes its generation only when its content changes, and rings for whoever
// waits for it.
import type { Host, Instance, Intent } from '../model/intent.ts';
import { type InstanceSpec, MAX_SCANS, type NodeDocument } from '../protocol/document.ts';
import type { HelperSpec } from '../protocol/helper.ts';
import { helpersByNode } from './helper-documents.ts';
import { publishable } from './publishable.ts';
import { partsOf } from './router-errors.ts';
import { routerSpec } from './router-spec.ts';
import { type Served, firstBootSpec, hostServices, servicesOf } from './service-spec.ts';

export interface Documents {
  /** Rebuilds from the intent; gives the names of the nodes whose document changed. */
  update(intent: Intent): string[];
  get(node: string): NodeDocument | undefined;
  /** What is not in its node's document as it was meant, because the node would refuse it: by the id of what it is about, a sentence. */
  faults(): ReadonlyMap<string, string>;
  /** The node's document once it is newer than `have`; undefined after `timeoutMs`. */
  wait(node: string, have: number, timeoutMs: number): Promise<NodeDocument | undefined>;
}

/** `unseal` opens what the intent holds sealed; without it there is nothing sealed. */
export function createDocuments(unseal: (sealed: string) => string = (sealed) => sealed): Documents {
  const documents = new Map<string, { readonly content: string; readonly document: NodeDocument }>();
  const faults = new Map<string, ReadonlyMap<string, string>>();
  const waiting = new Map<string, Set<() => void>>();
  // Units keep identity: a host that did not change needs no second look (nor do its peers, while the fabric is the same).
  let fabric: Intent['fabric'] | undefined;
  let hosts: Intent['hosts'] = new Map();
  let services = new Map<string, readonly Served[]>();
  let helpers: ReadonlyMap<string, readonly HelperSpec[]> = new Map();

  return {
    update(intent) {
      const changed: string[] = [];
      const index = servicesOf(intent);
      const beside = helpersByNode(intent, unseal);
      const stood = helpers;
      helpers = beside;
      const before = services;
      services = new Map();
      for (const host of intent.hosts.values()) {
        const served = index.get(host.name) ?? [];
        services.set(host.name, served);
        const same = intent.fabric === fabric && hosts.get(host.id) === host && sameList(before.get(host.name), served);
        const its = beside.get(host.name) ?? [];
        if (same && sameList(stood.get(host.name), its) && documents.has(host.name)) continue;
        const whole = { ...bodyOf(host, intent, served, unseal), ...(its.length === 0 ? {} : { helpers: its }) };
        const { body, faults: found } = publishable(host.name, whole, documents.get(host.name)?.document);
        faults.set(host.name, found.size === 0 ? found : spread(found, host, its));
        const content = JSON.stringify(body);
        if (documents.get(host.name)?.content === content) continue;
        documents.set(host.name, { content, document: { node: host.name, generation: intent.generation, ...body } });
        changed.push(host.name);
      }
      const names = new Set([...intent.hosts.values()].map((host) => host.name));
      for (const known of [documents, faults])
        for (const name of known.keys()) if (!names.has(name)) known.delete(name);
      ({ fabric, hosts } = intent);
      for (const node of changed) for (const wake of waiting.get(node) ?? []) wake();
      return changed;
    },
    get: (node) => documents.get(node)?.document,
    faults: () => new Map([...faults.values()].flatMap((found) => [...found])),
    async wait(node, have, timeoutMs) {
      const now = documents.get(node)?.document;
      if (now !== undefined && now.generation > have) return now;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      const set = waiting.get(node) ?? new Set();
      waiting.set(node, set.add(resolve));
      await promise;
      clearTimeout(timer);
      set.delete(resolve);
      const later = documents.get(node)?.document;
      return later !== undefined && later.generation > have ? later : undefined;
    },
  };
}

/** A router's fault is that of each rule and address of it, a helper's that of its balancers and VPNs: those are what jobs are about. */
function spread(
  found: ReadonlyMap<string, string>,
  { routers }: Host,
  helpers: readonly HelperSpec[],
): ReadonlyMap<string, string> {
  const parts = new Map<string, readonly string[]>([
    ...routers.map((role) => [role.id, partsOf(role)] as const),
    ...helpers.map(({ id, jobs: { balancers = [], vpns = [] } }) => {
      const own = [...balancers, ...vpns.map(({ spec }) => spec)].map((one) => one.id);
      return [id, [id, ...own]] as const;
    }),
  ]);
  return new Map([...found].flatMap(([id, text]) => (parts.get(id) ?? [id]).map((part) => [part, text] as const)));
}

function sameList(a: readonly unknown[] = [], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

function bodyOf(
  host: Host,
  intent: Intent,
  served: readonly Served[],
  unseal: (sealed: string) => string,
): Omit<NodeDocument, 'node' | 'generation'> {
  const publicIpOf = ({ nics }: Instance): string | undefined => {
    const card = nics.find(({ isDefault }) => isDefault);
    const at = served.find(({ networks }) => networks.some(({ spec }) => spec.id === card?.networkId));
    return card === undefined ? undefined : at?.publicIpOf(card.id);
  };
  const services = hostServices(host, served);
  return {
    instances: host.instances.map((instance): InstanceSpec => ({
      id: instance.id,
      name: instance.name,
      hostname: instance.hostname,
      power: instance.power,
      boot: instance.boot,
      passwordHash: instance.passwordHash,
      cpus: instance.cpus,
      memoryMb: instance.memoryMb,
      nics: instance.nics,
      ...(instance.firstBoot === undefined
        ? {}
        : { firstBoot: firstBootSpec(instance.firstBoot, publicIpOf(instance), unseal) }),
      ...(instance.migration === undefined ? {} : { migration: instance.migration }),
    })),
    ...(host.routers.length === 0
      ? {}
      : { routers: host.routers.map((role) => routerSpec(role, intent.fabric.underlayMtu)) }),
    ...(services === undefined ? {} : { services }),
    // A node refuses a document with more, and would take none ever after.
    ...(host.scans.length === 0 ? {} : { scans: host.scans.slice(0, MAX_SCANS) }),
    peers: intent.fabric.chassis.flatMap(({ name, underlayIp }) =>
      name === host.chassis ? [] : [{ name, underlayIp }],
    ),
  };
}
