// The findings as an operator reads them: what is wrong first, each with what to do about it.
import type { Finding, Grade } from './judge.ts';

const MARK: Readonly<Record<Grade, string>> = { cannot: 'CANNOT', danger: 'DANGER', less: 'less  ', ok: 'ok    ' };
const ORDER: readonly Grade[] = ['cannot', 'danger', 'less', 'ok'];

export function formatFindings(findings: readonly Finding[]): string {
  const sorted = ORDER.flatMap((grade) => findings.filter((finding) => finding.grade === grade));
  const width = Math.max(...sorted.map(({ about }) => about.length));
  const lines = sorted.flatMap(({ grade, about, text, remedy }) => [
    `${MARK[grade]}  ${about.padEnd(width)}  ${text}`,
    ...(remedy === undefined ? [] : [`${' '.repeat(8 + width + 2)}-> ${remedy}`]),
  ]);
  const missing = findings.filter(({ grade }) => grade === 'cannot' || grade === 'danger').length;
  return `${[...lines, '', missing === 0 ? 'nothing is missing' : `${missing} to put right`].join('\n')}\n`;
}
