// Puts differences between rows into words, for the reasons of steps and the texts of drift.
import type { Value } from '../compile/desired.ts';
import type { Change } from './change.ts';

const LONGEST = 160;

/** What is not as wanted in an updated row, column by column. Our mark is told of only when nothing else is wrong. */
export function tellDifferences({ columns, before, after }: Change): string {
  const others = columns.filter((column) => column !== 'external_ids');
  return (others.length > 0 ? others : columns)
    .map((column) => tellDifference(column, before?.[column], after?.[column]))
    .join('; ');
}

function tellDifference(column: string, found: Value | undefined, wanted: Value | undefined): string {
  const sample = wanted ?? found;
  if (typeof sample !== 'object') return `${column} is ${show(found)} instead of ${show(wanted)}`;
  if (!Array.isArray(sample)) return tellMap(column, (found ?? {}) as Pairs, (wanted ?? {}) as Pairs);
  const is = (found ?? []) as readonly Value[];
  const shall = (wanted ?? []) as readonly Value[];
  if (is.length <= 1 && shall.length <= 1) return `${column} is ${show(is[0])} instead of ${show(shall[0])}`;
  return tellParts(
    column,
    shall.filter((one) => !is.includes(one)).map(show),
    is.filter((one) => !shall.includes(one)).map(show),
  );
}

type Pairs = Readonly<Record<string, string>>;

function tellMap(column: string, is: Pairs, shall: Pairs): string {
  const keys = [...new Set([...Object.keys(shall), ...Object.keys(is)])].filter((key) => is[key] !== shall[key]);
  const changed = keys
    .filter((key) => Object.hasOwn(is, key) && Object.hasOwn(shall, key) && key !== 'generation')
    .map((key) => `${column}:${key} is ${show(is[key])} instead of ${show(shall[key])}`);
  const lacking = keys.filter((key) => !Object.hasOwn(is, key)).map((key) => `${key}=${shall[key]}`);
  const extra = keys.filter((key) => !Object.hasOwn(shall, key)).map((key) => `${key}=${is[key]}`);
  return [...changed, ...(lacking.length + extra.length > 0 ? [tellParts(column, lacking, extra)] : [])].join('; ');
}

function tellParts(column: string, lacking: readonly string[], extra: readonly string[]): string {
  const parts = [
    ...(lacking.length > 0 ? [`lacks ${cut(lacking.join(', '))}`] : []),
    ...(extra.length > 0 ? [`has ${cut(extra.join(', '))}, which nothing asks for`] : []),
  ];
  return `${column} ${parts.join(' and ')}`;
}

function show(value: Value | undefined): string {
  if (value === undefined) return 'unset';
  return cut(typeof value === 'string' && value !== '' ? value : JSON.stringify(value));
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
