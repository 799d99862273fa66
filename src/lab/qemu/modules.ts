// Which kernel modules come along: those asked for and what they need, with the part of the index that concerns them. Pure, over the
// texts that depmod wrote.

/** A module's name as the kernel counts it: dashes and underscores are one. */
function nameOf(path: string): string {
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

/** Lines of modules.dep by module name: its own path and those it needs, relative to the modules' folder. */
export function parseDependencies(modulesDep: string): Map<string, readonly string[]> {
  const all = new Map<string, readonly string[]>();
  for (const line of modulesDep.split('\n')) {
    const at = line.indexOf(':');
    if (at < 0) continue;
    const path = line.slice(0, at);
    all.set(nameOf(path), [
      path,
      ...line
        .slice(at + 1)
        .split(' ')
        .filter((word) => word !== ''),
    ]);
  }
  return all;
}

/** Paths of the modules and all they need. `builtIn` is modules.builtin. Throws when the kernel has no module of a name. */
export function closureOf(wanted: readonly string[], modulesDep: string, builtIn: string): string[] {
  const all = parseDependencies(modulesDep);
  const inside = new Set(builtIn.split('\n').map(nameOf));
  const paths = new Set<string>();
  for (const name of wanted.map(nameOf)) {
    const needs = all.get(name);
    if (needs === undefined && !inside.has(name)) throw new Error(`the guest's kernel has no module ${name}`);
    for (const path of needs ?? []) paths.add(path);
  }
  return [...paths].toSorted();
}

/** The lines of modules.dep, modules.alias or modules.symbols that concern these modules, so that a guest's modprobe finds them and nothing else. */
export function indexOf(index: string, kind: 'dep' | 'alias', paths: readonly string[]): string {
  const names = new Set(paths.map(nameOf));
  const lines = index.split('\n').filter((line) => {
    if (kind === 'dep') return names.has(nameOf(line.slice(0, Math.max(0, line.indexOf(':')))));
    return names.has(line.slice(line.lastIndexOf(' ') + 1).replaceAll('-', '_'));
  });
  return lines.map((line) => `${line}\n`).join('');
}
