/**
 * Loads isolated-vm's native module by its exact path.
 *
 * Its own loader looks around in directories and in `/etc`, which a sandbox may not read; so the worker finds the file
 * and the sandbox opens just that one.
 */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

export type IsolatedVm = typeof import('isolated-vm')

/** Where the `.node` file for this machine and this Node is. */
export function isolatedVmPath(): string {
  const require = createRequire(import.meta.url)
  const folder = dirname(require.resolve('isolated-vm/package.json'))
  const locate = createRequire(require.resolve('isolated-vm/package.json'))('node-gyp-build') as {
    path(folder: string): string
  }
  return locate.path(folder)
}

/** It ends the process when it is loaded a second time. */
let loaded: IsolatedVm | undefined

export function loadIsolatedVm(path: string): IsolatedVm {
  if (loaded) return loaded
  const native: { exports: { ivm?: IsolatedVm } } = { exports: {} }
  process.dlopen(native, path)
  if (!native.exports.ivm) throw new Error(`${path} is not isolated-vm`)
  loaded = native.exports.ivm
  return loaded
}
