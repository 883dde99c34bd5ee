/**
 * The files of npm packages that a module uses, found by the bundler that will bundle them again: only what is reached,
 * with each package's `package.json`, by which its name resolves.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { build } from 'esbuild'

/** Adds to `texts`, which are by absolute path. What does not resolve is left to the build, which names the line. */
export async function addPackages(entry: string, texts: Map<string, string>): Promise<void> {
  const folder = dirname(entry)
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: folder,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    // As the checker resolves: what a package made for workers comes before what it made for Node.
    conditions: ['workerd', 'worker', 'browser', 'module'],
    external: ['orla', 'orla/*'],
    jsx: 'automatic',
    // A package keeps the name it is imported by, also where its files lie elsewhere (pnpm, npm link).
    preserveSymlinks: true,
    logLevel: 'silent',
  }).catch(() => undefined)
  for (const input of Object.keys(result?.metafile.inputs ?? {})) {
    const path = resolve(folder, input)
    if (!texts.has(path)) texts.set(path, await readFile(path, 'utf8'))
    const manifest = packageManifest(path)
    if (manifest !== undefined && !texts.has(manifest)) texts.set(manifest, await readFile(manifest, 'utf8'))
  }
}

/** `…/node_modules/NAME/package.json` of a file in a package, also of a scoped one. */
function packageManifest(path: string): string | undefined {
  const marker = `${sep}node_modules${sep}`
  const at = path.lastIndexOf(marker)
  if (at < 0) return undefined
  const [first, second] = path.slice(at + marker.length).split(sep)
  const name = first!.startsWith('@') ? join(first!, second ?? '') : first!
  return join(path.slice(0, at), 'node_modules', name, 'package.json')
}
