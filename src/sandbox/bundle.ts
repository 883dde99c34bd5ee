/** The programs that a sandbox runs, each as one file: TypeScript modules in, the text of one script out. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'

export interface Bundle {
  readonly text: string
  /** Paths of the files that it was made of. */
  readonly sources: readonly string[]
}

async function bundle(entry: string, options: BuildOptions): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    bundle: true,
    write: false,
    metafile: true,
    legalComments: 'none',
    ...options,
  })
  // They are told from the current directory on. What is done with them stands here.
  const inputs = Object.keys(metafile!.inputs).map((path) => resolve(path))
  return { text: outputFiles![0]!.text, sources: [fileURLToPath(import.meta.url), ...inputs] }
}

/**
 * The sandbox process, an ES module: one file, so that it may read that file and nothing else. It takes the path of isolated-vm's
 * `.node` file as its argument.
 */
export const bundleSandbox = (): Promise<Bundle> =>
  bundle('child.ts', { platform: 'node', format: 'esm', target: 'node26' })

/**
 * The guest: one script, whose value is `{ install, step }` and which leaves nothing in the global scope but the globals of
 * units.
 */
export async function bundleGuest(): Promise<Bundle> {
  const { text, sources } = await bundle('guest/main.ts', {
    platform: 'neutral',
    format: 'iife',
    globalName: 'guest',
    target: 'esnext',
  })
  // A variable inside a function: `var guest` in a script would be a global that every unit sees.
  return { text: `(() => {\n${text}return { install: guest.install, step: guest.step }\n})()`, sources }
}
