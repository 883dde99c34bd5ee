/**
 * node-redis for those who look after connections themselves: one connection to one server, in the protocol that every version speaks. It waits in no
 * queue for a server, and is not mended: who asks again makes another one (decision 0018).
 */
import { createClient } from '@redis/client'
import { hostOf, portOf } from './server-address.ts'
import type { TlsMaterial } from './tls-files.ts'

export interface RedisCredentials {
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly database?: number | undefined
  readonly tls?: TlsMaterial | undefined
}

export type RedisClient = ReturnType<typeof redisClient>

/** `address` is `host:port`. It connects when it is told to. */
export function redisClient(
  address: string,
  { username, password, database, tls }: RedisCredentials,
  connectTimeout: number,
) {
  const host = hostOf(address)
  const socket = { host, port: portOf(address), connectTimeout, reconnectStrategy: false } as const
  // A name is asked for and checked; an address has no name to ask for.
  const servername = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
  return createClient({
    RESP: 2,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
    socket: tls === undefined ? socket : { ...socket, ...tls, ...servername, tls: true },
  })
}
