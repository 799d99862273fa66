// Which addresses are to be announced now: those that came here since the last time, as soon as their card is plugged in, their
// machine runs, and Open vSwitch lets frames in their name pass. Pure.
import { join } from 'node:path';
import type { InstanceSpec, NicSpec, NodeDocument } from '../../protocol/document.ts';
import type { Plan, Step, Wait, Work } from '../driver.ts';
import { announceReply, announceRequest, ask } from './frame.ts';
import { type Announced, recordFile } from './record.ts';

export interface AnnounceContext {
  readonly node: string;
  /** The agent's state folder. */
  readonly state: string;
  /** Folder of the bridges' management sockets. */
  readonly rundir: string;
}

/** What is known of a card besides the document. */
export interface Card {
  /** Its port on br-int, once OVN has installed it. */
  readonly port?: { readonly name: string; readonly ofport: number };
  /** Whether its machine was seen running. */
  readonly runs: boolean;
  /** What was announced of it before; undefined: nothing ever, here. */
  readonly record: readonly Announced[] | undefined;
  /** Addresses in whose name Open vSwitch drops what the card sends: its rules are not here yet. */
  readonly shut: ReadonlySet<string>;
}

export type MovedAddress = NonNullable<NicSpec['addresses']>[number];

/** Cards of machines that are here, or are to be: not those that are about to leave, and not stopped ones. */
export function cardsHere(document: NodeDocument): { readonly instance: InstanceSpec; readonly nic: NicSpec }[] {
  return document.instances
    .filter(
      ({ power, migration }) => power === 'running' && (migration === undefined || migration.to === document.node),
    )
    .flatMap((instance) => instance.nics.map((nic) => ({ instance, nic })))
    .filter(({ nic }) => (nic.addresses ?? []).length > 0);
}

/** The addresses of a card that were not announced since they came. */
export function dueOf(nic: NicSpec, record: readonly Announced[] | undefined): readonly MovedAddress[] {
  return (nic.addresses ?? []).filter(
    ({ ip, moved }) => !(record ?? []).some((known) => known.ip === ip && known.moved >= moved),
  );
}

export function planAnnouncements(
  document: NodeDocument,
  cards: ReadonlyMap<string, Card>,
  now: number,
  context: AnnounceContext,
): Plan {
  const work: Work[] = [];
  const waits: Wait[] = [];
  for (const { instance, nic } of cardsHere(document)) {
    const card = cards.get(nic.id);
    const due = dueOf(nic, card?.record);
    if (card === undefined || due.length === 0) continue;
    const addresses = due.map(({ ip }) => ip).join(', ');
    const what = `eth${nic.deviceId} of instance ${instance.name}`;
    const wait = (until: string): number =>
      waits.push({ target: instance.id, what: `the announcement of ${addresses} at ${what} waits ${until}` });
    if (!card.runs) wait(`until the instance runs on ${context.node}`);
    else if (card.port === undefined) wait(`for OVN to install the card's port on ${context.node}`);
    else if (due.some(({ ip }) => card.shut.has(ip))) wait(`for OVN to let it pass on ${context.node}`);
    else
      work.push({
        target: instance.id,
        label: `announcement of ${what}`,
        steps: stepsOf(instance, nic, card, due, now, context),
      });
  }
  return { work, waits, instances: [] };
}

function stepsOf(
  instance: InstanceSpec,
  nic: NicSpec,
  card: Card,
  due: readonly MovedAddress[],
  now: number,
  context: AnnounceContext,
): Step[] {
  const announced = new Date(now).toISOString();
  const cause = causeOf(instance, nic, card, due);
  const kept = (nic.addresses ?? []).map(({ ip, moved }): Announced => {
    const before = card.record?.find((known) => known.ip === ip);
    const isDue = due.some((one) => one.ip === ip);
    return !isDue && before !== undefined ? before : { ip, moved, cause, announced };
  });
  const said = due.map(({ ip }) => ip).join(', ');
  const told = nic.upstream === undefined ? '' : `, ${nic.upstream} above all`;
  return [
    {
      kind: 'run',
      argv: announceArgv(
        card.port!.ofport,
        nic,
        due.map(({ ip }) => ip),
        context,
      ),
      reason: `${said} ${due.length === 1 ? 'is' : 'are'} at eth${nic.deviceId} of ${instance.name} now: all on its network are told${told}`,
    },
    {
      kind: 'write',
      path: recordFile(context.state, nic.id),
      content: `${JSON.stringify(kept)}\n`,
      mode: 0o644,
      reason: `what was announced of ${instance.name}`,
      routine: true,
    },
  ];
}

/**
 * The command that announces addresses as if the card itself had: through OVN's pipeline, port security included. Request and answer form,
 * because there are receivers that take in only one of them; asked directly last, which OVN's own routers never see.
 */
export function announceArgv(
  ofport: number,
  nic: Pick<NicSpec, 'mac' | 'upstream'>,
  addresses: readonly string[],
  context: Pick<AnnounceContext, 'rundir'>,
): string[] {
  const { mac, upstream } = nic;
  const frames = addresses.flatMap((ip) => [
    announceRequest(mac, ip),
    announceReply(mac, ip),
    ...(upstream === undefined || upstream === ip ? [] : [ask(mac, ip, upstream)]),
  ]);
  return sendArgv(ofport, frames, context);
}

/** The command that sends frames as if they came in at a port of br-int. */
export function sendArgv(
  ofport: number,
  frames: readonly string[],
  { rundir }: Pick<AnnounceContext, 'rundir'>,
): string[] {
  return ['ovs-ofctl', 'packet-out', `unix:${join(rundir, 'br-int.mgmt')}`, String(ofport), 'resubmit(,0)', ...frames];
}

/** A machine that starts or moves brings all its addresses, the main one first; else it is the address that came. */
function causeOf(instance: InstanceSpec, nic: NicSpec, card: Card, due: readonly MovedAddress[]): Announced['cause'] {
  if (instance.migration !== undefined) return 'migration';
  const main = nic.addresses?.[0]?.ip;
  const known = card.record === undefined || card.record.some(({ ip }) => ip === main);
  return known && due.some(({ ip }) => ip === main) ? 'start' : 'address';
}
