// haproxy's file from typed values: what router nodes and gateway helpers have in common. Pure.
import { createHash } from 'node:crypto';
import type { BalancerSpec, CookieSpec } from '../protocol/document.ts';

/** Where nobody asked for another: a dead member is out in under a second. */
export const DEFAULT_CHECK = { intervalSeconds: 0.25, timeoutSeconds: 0.25, healthy: 2, unhealthy: 2 } as const;

/** How long a client is remembered by its address where nobody said another time. */
const STICKY_SECONDS = 1800;
/** Clients that a balancer remembers; then those that came longest ago are forgotten. The table is memory of everybody's process. */
const REMEMBERED = '20k';

export interface ProxyFile {
  /** Where haproxy is asked for its state. */
  readonly socket: string;
  /** Whether it can give up being root and still read its files. */
  readonly dropRoot: boolean;
  /** Most files and connections it may have open. */
  readonly most: number;
  /** Port on which a new process learns from the one before who stays where; absent: it begins with nobody. */
  readonly memory?: number;
  /** Lines of {@link listenLines}. */
  readonly sections: readonly string[];
}

/** How to learn that a program serves what its file says. */
export interface Ready {
  readonly socket: string;
  readonly question: string;
  readonly expects: string;
}

/** Name of the table's group, and of the one process in it. */
const MEMORY = 'memory';

/** The file, and what a process that serves it answers when it is asked who it is: it takes a moment to take over from the one before. */
export function haproxyFile(file: ProxyFile): { readonly content: string; readonly ready: Ready } {
  const edition = createHash('sha256').update(textOf(file, '')).digest('hex').slice(0, 16);
  return {
    content: textOf(file, edition),
    ready: { socket: file.socket, question: 'show info', expects: `description: ${edition}` },
  };
}

function textOf({ socket, dropRoot, most, memory, sections }: ProxyFile, edition: string): string {
  return [
    '# Written by trunkline; changes are undone.',
    'global',
    `  description ${edition}`,
    ...(dropRoot ? ['  user haproxy', '  group haproxy'] : []),
    // As many connections as the limit of open files allows, but no more than this: where that is very high it costs memory.
    `  fd-hard-limit ${most}`,
    // Connections of before a reload may last this long with the old members.
    '  hard-stop-after 1h',
    `  stats socket ${socket} mode 600 level admin expose-fd listeners`,
    ...(memory === undefined
      ? []
      : [`  localpeer ${MEMORY}`, `peers ${MEMORY}`, `  peer ${MEMORY} 127.0.0.1:${memory}`]),
    'defaults',
    '  mode tcp',
    '  timeout connect 2s',
    '  timeout client 1h',
    '  timeout server 1h',
    '  retries 2',
    '  option redispatch 1',
    ...sections,
    '',
  ].join('\n');
}

export interface ListenOptions {
  /** Who stays where is kept over a reload ({@link ProxyFile.memory}). */
  readonly kept?: boolean;
  /** Most connections at once; absent: as many as there may be of all. Further ones wait. */
  readonly most?: number;
  /**
   * Whether connections are led to all members while each looks dead, instead of to none. Where a process has just begun, or its way to
   * the members is new, the first look that fails is enough, and the next one comes an interval later.
   */
  readonly failOpen?: boolean;
  /** How members are looked at where nobody said. */
  readonly check?: Omit<NonNullable<BalancerSpec['check']>, 'path'>;
}

/** One balancer. */
export function listenLines(at: string, balancer: BalancerSpec, options: ListenOptions = {}): string[] {
  const { id, algorithm, members, cookie, proxy } = balancer;
  const { kept = false, most, failOpen = false, check: usual = DEFAULT_CHECK } = options;
  const check: NonNullable<BalancerSpec['check']> = { ...usual, ...balancer.check };
  const every = ms(check.intervalSeconds);
  const soon = ms(Math.min(check.intervalSeconds, 0.1));
  const health = `check inter ${every} fastinter ${soon} downinter ${every} fall ${check.unhealthy} rise ${check.healthy}`;
  return [
    `listen lb-${id}`,
    `  bind ${at}`,
    ...(most === undefined ? [] : [`  maxconn ${most}`]),
    // Cookies are read and written: the connection is HTTP's, and members are told who asks in a header.
    ...(cookie === undefined ? [] : ['  mode http', '  option forwardfor', '  timeout http-request 30s']),
    `  balance ${algorithm}`,
    `  timeout check ${ms(check.timeoutSeconds)}`,
    ...(check.path === undefined
      ? []
      : ['  option httpchk', `  http-check send meth GET uri '${check.path}' ver HTTP/1.1 hdr Host balancer`]),
    ...stayLines(balancer, kept),
    ...members.map(({ ip, port }) =>
      [
        `  server m-${ip}-${port} ${ip}:${port} ${health}`,
        ...(cookie?.kind === 'balancer' ? [`cookie ${valueOf(ip, port)}`] : []),
        ...(proxy === true ? ['send-proxy check-send-proxy'] : []),
      ].join(' '),
    ),
    ...(failOpen && members.length > 0 ? ['  option allbackups'] : []),
    ...(failOpen ? members : []).map(({ ip, port }) =>
      // The same members, at whom nobody looks; nobody is remembered to have been led there.
      [`  server open-${ip}-${port} ${ip}:${port} backup non-stick`, ...(proxy === true ? ['send-proxy'] : [])].join(
        ' ',
      ),
    ),
  ];
}

function stayLines({ sticky, stickySeconds, cookie }: BalancerSpec, kept: boolean): string[] {
  const memory = kept ? ` peers ${MEMORY}` : '';
  if (cookie === undefined) {
    if (!sticky) return [];
    const expire = stickySeconds === undefined || stickySeconds === STICKY_SECONDS ? '30m' : `${stickySeconds}s`;
    return [`  stick-table type ip size ${REMEMBERED} expire ${expire}${memory}`, '  stick on src'];
  }
  return cookieLines(cookie, memory);
}

function cookieLines(cookie: CookieSpec, memory: string): string[] {
  if (cookie.kind === 'balancer') {
    const domain = cookie.domain === undefined ? [] : [`domain ${cookie.domain}`];
    return [['  cookie', cookie.name, cookie.mode, ...cookie.flags, ...domain].join(' ')];
  }
  const { name, length, holdSeconds } = cookie;
  return [
    `  stick-table type string len ${length} size ${REMEMBERED} expire ${holdSeconds}s${memory}`,
    `  stick store-response res.cook(${name})`,
    `  stick match req.cook(${name})`,
  ];
}

/** What a client's cookie says of a member: not its address, which is nobody's business outside. */
function valueOf(ip: string, port: number): string {
  return createHash('sha256').update(`${ip}:${port}`).digest('hex').slice(0, 16);
}

function ms(seconds: number): string {
  return `${Math.max(1, Math.round(seconds * 1000))}ms`;
}
