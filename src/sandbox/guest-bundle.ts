/**
 * Bundles the guest: TypeScript modules in, one script out, whose value is `{ install, step }` and which leaves nothing
 * in the global scope but the globals of units.
 */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export async function bundleGuest(): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL('./guest/main.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'guest',
    target: 'esnext',
    platform: 'neutral',
    legalComments: 'none',
  })
  // A variable inside a function: `var guest` in a script would be a global that every unit sees.
  return `(() => {\n${result.outputFiles[0]!.text}return { install: guest.install, step: guest.step }\n})()`
}
