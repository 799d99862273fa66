// A domain as libvirt describes it, as far as this driver looks at it. Reads what `virsh dumpxml` writes, which is always of the same
// form: no parser is needed, and whatever is not as expected is simply not ours.
import { NAMESPACE } from './xml.ts';

export interface Domain {
  readonly id: string;
  readonly name: string;
  /** As `virsh domstate --reason` says: `running (booted)`, `paused (migrating)`, `shut off (unknown)`. */
  readonly state: string;
  /** Whether libvirt keeps it when it is off. */
  readonly persistent: boolean;
  /** What a job under way is at, such as an outgoing migration; undefined when there is none. */
  readonly job?: string;
  /** Our mark; undefined when the domain is somebody else's. */
  readonly mark?: { readonly node: string; readonly boot: number };
  readonly nics: readonly DomainNic[];
}

export interface DomainNic {
  /** The logical port's id, from its virtual port. */
  readonly id: string;
  readonly mac: string;
  /** Name of its tap. */
  readonly port: string;
}

/** Whether a guest's processors exist here at all: it runs, or could go on at once. */
export function isLive({ state }: Domain): boolean {
  return !/^(shut off|no state|crashed)/.test(state);
}

/** The domain's own values from its description. Undefined when it has no id. */
export function parseDomain(xml: string): Pick<Domain, 'id' | 'name' | 'mark' | 'nics'> | undefined {
  const id = /^ {2}<uuid>([0-9a-f-]{36})<\/uuid>$/m.exec(xml)?.[1];
  if (id === undefined) return undefined;
  const name = decode(/^ {2}<name>(.*)<\/name>$/m.exec(xml)?.[1] ?? '');
  const metadata = /^ {2}<metadata>\n([\s\S]*?)^ {2}<\/metadata>$/m.exec(xml)?.[1] ?? '';
  const mark =
    metadata.includes(`"${NAMESPACE}"`) || metadata.includes(`'${NAMESPACE}'`) ? markOf(metadata) : undefined;
  const nics = [...xml.matchAll(/^ {4}<interface [\s\S]*?^ {4}<\/interface>$/gm)].flatMap(([block]) => nicOf(block));
  return { id, name, nics, ...(mark === undefined ? {} : { mark }) };
}

function markOf(metadata: string): Domain['mark'] {
  const node = /\snode=["']([A-Za-z0-9-]+)["']/.exec(metadata)?.[1];
  const boot = /\sboot=["']([0-9]+)["']/.exec(metadata)?.[1];
  return node === undefined || boot === undefined ? undefined : { node, boot: Number(boot) };
}

function nicOf(block: string): DomainNic[] {
  const mac = /<mac address='([0-9a-f:]{17})'\/>/.exec(block)?.[1];
  const id = /<parameters interfaceid='([0-9a-f-]{36})'/.exec(block)?.[1];
  if (mac === undefined || id === undefined) return [];
  return [{ mac, id, port: /<target dev='([^']*)'\/>/.exec(block)?.[1] ?? '' }];
}

function decode(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&apos;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
}
