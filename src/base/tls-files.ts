/** Files that a configuration names for TLS to other servers. */
import { readFileSync } from 'node:fs'
import { EdgeError } from './errors.ts'

/** Paths of PEM files. */
export interface TlsPaths {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** As `node:tls` takes them. */
export interface TlsMaterial {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
}

/** `where` is the configuration's word for them: `store.tls`. Throws `file-unreadable` with it and the path. */
export function readTlsFiles(where: string, { ca, cert, key }: TlsPaths): TlsMaterial {
  return {
    ...(ca !== undefined && { ca: readTlsFile(`${where}.ca`, ca) }),
    ...(cert !== undefined && { cert: readTlsFile(`${where}.cert`, cert) }),
    ...(key !== undefined && { key: readTlsFile(`${where}.key`, key) }),
  }
}

export function readTlsFile(where: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new EdgeError('file-unreadable', `${where}: ${path} cannot be read: ${code ?? message}`, {
      cause: error,
    })
  }
}
