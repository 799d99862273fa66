// What nodes' documents say of gateway helpers: for each router that needs one, the same spec to every node of the group that may carry
// its public side. Which of them does is OVN's to decide, and theirs to see. Of VPNs, whose secrets are in the spec, only those are told
// that are there to carry it: who fills the group up for the majority serves none.
import { proxiedOf } from '../compile/balancer.ts';
import { isCandidate } from '../compile/gateway-chassis.ts';
import { HELPER_ADDRESS, HELPER_GATEWAY, HELPER_PREFIX, helperMac, helperPort } from '../compile/helper-leg.ts';
import { routerPortName } from '../compile/names.ts';
import { ownerKey, publicPlaceOf } from '../compile/public-leg.ts';
import { vpnPlaces } from '../compile/vpn.ts';
import { type Fabric, type GuestNetwork, type Intent, type UnitKey, type Vpc, mtuOf } from '../model/intent.ts';
import type { NodeReport } from '../protocol/document.ts';
import type { HelperSpec, ProxySpec, VpnJob } from '../protocol/helper.ts';
import { vpnSpecs } from './vpn-spec.ts';

interface Helper {
  readonly spec: HelperSpec;
  /** Names of the nodes of its group that it is for. */
  readonly nodes: readonly string[];
  /** Those of them that serve its VPNs. */
  readonly vpnNodes: readonly string[];
}

type Owner = Vpc | GuestNetwork;

/** By owner: units keep identity while they mean the same. */
const known = new WeakMap<Owner, { readonly fabric: Fabric; readonly helper: Helper | undefined }>();

/** Opens what is sealed. */
type Unseal = (sealed: string) => string;

/** With their VPNs, whose secrets are opened for the documents and nobody else. */
const opened = new WeakMap<Helper, HelperSpec>();

/** The helpers of each node, by its name; nodes without any are left out. The same objects while nothing of them changed. */
export function helpersByNode(
  intent: Intent,
  unseal: Unseal = (sealed) => sealed,
): ReadonlyMap<string, readonly HelperSpec[]> {
  const byNode = new Map<string, HelperSpec[]>();
  for (const owner of ownersOf(intent)) {
    const helper = helperOf(owner, intent.fabric);
    if (helper === undefined) continue;
    const spec = withVpns(helper, owner, unseal);
    for (const node of helper.nodes)
      byNode.set(node, [...(byNode.get(node) ?? []), helper.vpnNodes.includes(node) ? spec : helper.spec]);
  }
  return byNode;
}

/** Keys of the units whose routers have a helper. */
export function helpedRouters(intent: Intent): ReadonlySet<UnitKey> {
  const keys = new Set<UnitKey>();
  for (const owner of ownersOf(intent)) if (helperOf(owner, intent.fabric) !== undefined) keys.add(ownerKey(owner));
  return keys;
}

/** Names of the nodes that have the helper of a unit's router; none where it needs none. */
export function helperNodes(unit: UnitKey, intent: Intent): readonly string[] {
  return helperOfUnit(unit, intent)?.nodes ?? [];
}

/** Names of the nodes that may serve the VPNs of a unit's router. */
export function vpnNodes(unit: UnitKey, intent: Intent): readonly string[] {
  return helperOfUnit(unit, intent)?.vpnNodes ?? [];
}

function helperOfUnit(unit: UnitKey, intent: Intent): Helper | undefined {
  const id = unit.slice(unit.indexOf(':') + 1);
  const network = intent.networks.get(id);
  const owner = unit.startsWith('vpc:') ? intent.vpcs.get(id) : network?.kind === 'guest' ? network : undefined;
  return owner === undefined ? undefined : helperOf(owner, intent.fabric);
}

/** Id of a router or of what its helper does -> what a node says is wrong there. */
export function helperErrors(intent: Intent, reports: ReadonlyMap<string, NodeReport>): ReadonlyMap<string, string> {
  const errors = new Map<string, string>();
  const down = new Set([...intent.hosts.values()].filter((host) => host.down === true).map(({ name }) => name));
  const saying = [...reports.values()].filter(({ helpers = [] }) => helpers.some(({ error }) => error !== undefined));
  if (saying.length === 0) return errors;
  const byNode = helpersOf(intent);
  for (const { node, helpers = [] } of saying.filter((report) => !down.has(report.node)))
    for (const { id, error } of helpers) {
      const parts = byNode.get(node)?.get(id);
      if (error === undefined || parts === undefined) continue;
      for (const part of parts) errors.set(part, `node ${node}, which says: ${error}`);
    }
  return errors;
}

/** By node and id of the router: the ids of all that its helper there is about, which jobs may be about, too. */
function helpersOf(intent: Intent): ReadonlyMap<string, ReadonlyMap<string, readonly string[]>> {
  const byNode = new Map<string, Map<string, readonly string[]>>();
  for (const owner of ownersOf(intent)) {
    const helper = helperOf(owner, intent.fabric);
    if (helper === undefined) continue;
    const { access = [], sites = [] } = owner.vpn ?? {};
    const proxied = helper.spec.jobs.balancers ?? [];
    for (const node of helper.nodes) {
      const own = helper.vpnNodes.includes(node) ? [...proxied, ...access, ...sites] : proxied;
      const parts = [owner.id, ...own.map(({ id }) => id)];
      byNode.set(node, (byNode.get(node) ?? new Map<string, readonly string[]>()).set(owner.id, parts));
    }
  }
  return byNode;
}

function withVpns(helper: Helper, owner: Owner, unseal: Unseal): HelperSpec {
  const places = vpnPlaces(owner);
  if (places.length === 0) return helper.spec;
  const known = opened.get(helper);
  if (known !== undefined) return known;
  const vpns = vpnSpecs(owner, unseal).flatMap((spec): VpnJob[] => {
    const publicIp = 'publicIp' in spec ? spec.publicIp : spec.local;
    const address = places.find((place) => place.publicIp === publicIp)?.address;
    return address === undefined ? [] : [{ address, spec }];
  });
  const made = { ...helper.spec, jobs: { ...helper.spec.jobs, vpns } };
  opened.set(helper, made);
  return made;
}

function* ownersOf(intent: Intent): Iterable<Owner> {
  for (const vpc of intent.vpcs.values()) if (vpc.publicSide !== undefined) yield vpc;
  for (const network of intent.networks.values())
    if (network.kind === 'guest' && network.publicSide !== undefined) yield network;
}

function helperOf(owner: Owner, fabric: Fabric): Helper | undefined {
  const memo = known.get(owner);
  if (memo?.fabric === fabric) return memo.helper;
  const helper = madeFor(owner, fabric);
  known.set(owner, { fabric, helper });
  return helper;
}

function madeFor(owner: Owner, fabric: Fabric): Helper | undefined {
  const { id, name, publicSide } = owner;
  if (publicSide === undefined) return undefined;
  const balancers = proxiedOf(publicSide).map(({ balancer, port }): ProxySpec => ({
    ...balancer,
    // Who may come is judged before the helper (public-filter.ts), and a list may be long.
    cidrs: [],
    members: balancer.members.map(({ ip, port: to }) => ({ ip, port: to })),
    port,
  }));
  const { legs, chassis } = publicPlaceOf(id, publicSide, fabric);
  const [main] = legs;
  if (main === undefined) return undefined;
  const vpnNodes = vpnPlaces(owner).length === 0 ? [] : chassis.filter((name) => isCandidate(name, fabric));
  const nodes = balancers.length === 0 ? vpnNodes : chassis;
  if (nodes.length === 0) return undefined;
  const spec: HelperSpec = {
    id,
    name,
    port: helperPort(id),
    follows: routerPortName(main.id),
    mac: helperMac(id),
    address: `${HELPER_ADDRESS}/${HELPER_PREFIX.split('/')[1]}`,
    gateway: HELPER_GATEWAY,
    mtu: mtuOf({ kind: 'overlay' }, fabric.underlayMtu),
    jobs: balancers.length === 0 ? {} : { balancers },
  };
  return { spec, nodes, vpnNodes };
}
