/**
 * Who asked, by what a trusted proxy says: `X-Forwarded-For` and its kin, or `Forwarded`.
 *
 * Lists grow to the right, so they are read from the right: an address counts because the hop after it is trusted, and reading ends at
 * the first that is not. Whatever a client wrote itself stands further left, and is never reached.
 */
import type { CidrSet } from '../../base/cidr.ts'
import { formatIp } from '../../base/ip-address.ts'
import { type ForwardedElement, parseForwarded, parseForwardedNode } from '../../wire/forwarded.ts'
import { parseAuthority } from '../../wire/http1/authority.ts'
import { headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { Client } from '../client.ts'

/** Which of the two families trusted proxies speak. `either`: `X-Forwarded-For` where it is there, else `Forwarded`. */
export type ForwardedFrom = 'either' | 'x-forwarded' | 'rfc7239'

export function claimedClient(
  headers: HeaderList,
  peer: Client,
  trusted: CidrSet,
  from: ForwardedFrom,
): Client {
  const forwarded = from === 'x-forwarded' ? undefined : headerValues(headers, 'forwarded')
  const hasOther = from !== 'rfc7239' && headerValues(headers, 'x-forwarded-for') !== undefined
  if (forwarded !== undefined && !hasOther) return fromForwarded(forwarded, peer, trusted)
  return from === 'rfc7239' ? peer : fromXForwarded(headers, peer, trusted)
}

function fromForwarded(text: string, peer: Client, trusted: CidrSet): Client {
  const elements = parseForwarded(text) ?? []
  let { address, port } = peer
  /** The one that tells of the client: the leftmost that is believed. */
  let about: ForwardedElement | undefined
  for (const element of elements.toReversed()) {
    about = element
    const node = parseForwardedNode(element.get('for') ?? '')
    if (node === undefined) break
    address = formatIp(node.ip)
    port = node.port
    if (!trusted.has(node.ip)) break
  }
  return new Client({
    address,
    port,
    scheme: schemeOf(about?.get('proto')) ?? peer.scheme,
    forwardedHost: hostOf(about?.get('host')),
  })
}

function fromXForwarded(headers: HeaderList, peer: Client, trusted: CidrSet): Client {
  const hops = listOf(headers, 'x-forwarded-for')
  let { address, port } = peer
  let at = hops.length
  while (at > 0) {
    const node = parseForwardedNode(hops[at - 1]!)
    if (node === undefined) break
    at -= 1
    address = formatIp(node.ip)
    port = node.port
    if (!trusted.has(node.ip)) break
  }
  /** Beside each hop, or one for all: then the one that the nearest proxy wrote. */
  const beside = (name: string): string | undefined => {
    const values = listOf(headers, name)
    return values.length === hops.length ? values[Math.min(at, hops.length - 1)] : values.at(-1)
  }
  return new Client({
    address,
    port,
    scheme: schemeOf(beside('x-forwarded-proto')) ?? peer.scheme,
    forwardedHost: hostOf(beside('x-forwarded-host')),
  })
}

function listOf(headers: HeaderList, name: string): readonly string[] {
  const value = headerValues(headers, name)
  return value === undefined ? [] : value.split(',').map((part) => part.replace(/^[\t ]+|[\t ]+$/g, ''))
}

function schemeOf(text: string | undefined): 'http' | 'https' | undefined {
  switch (text?.toLowerCase()) {
    case 'https':
    case 'wss':
      return 'https'
    case 'http':
    case 'ws':
      return 'http'
  }
  return undefined
}

function hostOf(text: string | undefined): string | undefined {
  const authority = text === undefined ? '' : (parseAuthority(text)?.authority ?? '')
  return authority === '' ? undefined : authority
}
