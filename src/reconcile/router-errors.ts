// Which objects a router node says it could not make true: an error of one network must end the jobs about its rules and
// addresses, and hold up nobody else's.
import type { Intent } from '../model/intent.ts';
import type { RouterRole } from '../model/router-role.ts';
import type { NodeReport } from '../protocol/document.ts';

/** Id of a network, leg, public address or rule -> what its node says is wrong there, with the node's name. */
export function routerErrors(intent: Intent, reports: ReadonlyMap<string, NodeReport>): ReadonlyMap<string, string> {
  const errors = new Map<string, string>();
  for (const host of intent.hosts.values()) {
    const said = reports.get(host.name)?.routers?.filter(({ error }) => error !== undefined) ?? [];
    for (const { id, error } of said) {
      const role = host.routers.find((each) => each.id === id);
      // What a silent node said last is not how it is; another one carries the network.
      if (role === undefined || (host.down === true && role.peerNodes.length > 0)) continue;
      for (const part of partsOf(role))
        errors.set(part, `node ${host.name}, which says of network ${role.network.name}: ${error}`);
    }
  }
  return errors;
}

/** Ids of a role's network, leg, addresses and rules. */
export function partsOf({ id, network, egress, publicAddresses, six }: RouterRole): string[] {
  return [
    id,
    network.id,
    ...[...egress, ...(six?.egress ?? []), ...(six?.ingress ?? [])].map((rule) => rule.id),
    ...publicAddresses.flatMap((address) => [
      address.id,
      ...[...address.forwards, ...address.balancers, ...address.ingress].map((rule) => rule.id),
    ]),
  ];
}
