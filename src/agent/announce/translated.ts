// Addresses that OVN translates, and which of them are answered for by this node: those of gateways that are here, and those that are
// translated where their instance is. Apart from the gateways, since an address comes without one: with its instance, or by a new rule.
import { mapOf, setOf, type Updates } from './value.ts';

/** An address as the switch's side of a router port has it. */
export interface Translated {
  readonly mac: string;
  readonly ip: string;
  /** The logical port whose chassis answers: a gateway's, `cr-PORT`, or an instance's. */
  readonly at: string;
  /** Name of the router port. */
  readonly port: string;
}

export interface Translations {
  /** Takes the updates of a monitor. */
  take(changes: unknown): void;
  /** Addresses that are answered for here and were not at the last call; none at the first, which only says how things are. */
  arrivals(isHere: (port: string) => boolean): readonly Translated[];
}

export function createTranslations(): Translations {
  const sides = new Map<string, { readonly port: string; readonly texts: ReadonlySet<string> }>();
  let here: ReadonlySet<string> | undefined;
  return {
    take(changes) {
      for (const [uuid, change] of Object.entries((changes as Updates)['Port_Binding'] ?? {})) {
        const whole = change['initial'] ?? change['insert'];
        const known = sides.get(uuid);
        if ('delete' in change) sides.delete(uuid);
        else if (whole !== undefined) {
          const port = mapOf(whole['options'])['peer'];
          if (port !== undefined) sides.set(uuid, { port, texts: new Set(setOf(whole['nat_addresses'])) });
        } else if (known !== undefined) {
          // Of a set that changed, what came and what went (ovsdb-server(7), "Update2").
          const texts = known.texts.symmetricDifference(new Set(setOf(change['modify']?.['nat_addresses'])));
          sides.set(uuid, { port: known.port, texts });
        }
      }
    },
    arrivals(isHere) {
      const all = [...sides.values()].flatMap(({ port, texts }) => [...texts].flatMap((text) => readText(port, text)));
      const now = new Map(all.filter(({ at }) => isHere(at)).map((one) => [`${one.mac} ${one.ip} ${one.at}`, one]));
      const before = here;
      here = new Set(now.keys());
      return before === undefined ? [] : [...now].flatMap(([key, one]) => (before.has(key) ? [] : [one]));
    },
  };
}

/** ovn-sb(5) Port_Binding.nat_addresses: `MAC IP IP is_chassis_resident("PORT")`. */
function readText(port: string, text: string): readonly Translated[] {
  const [, mac, ips, at] = /^(\S+) (.*) is_chassis_resident\("([^"]+)"\)$/.exec(text) ?? [];
  if (mac === undefined || ips === undefined || at === undefined) return [];
  return ips
    .split(' ')
    .filter((ip) => /^[0-9]+(?:\.[0-9]+){3}$/.test(ip))
    .map((ip) => ({ mac, ip, at, port }));
}
