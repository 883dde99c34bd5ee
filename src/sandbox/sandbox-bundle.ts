/**
 * The sandbox process as one JavaScript file: so that it may read that file and nothing else.
 */
import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'

/** The text of the bundle, an ES module. It takes the path of isolated-vm's `.node` file as its argument. */
export async function bundleSandbox(): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL('child.ts', import.meta.url))],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    legalComments: 'none',
  })
  return result.outputFiles[0]!.text
}
