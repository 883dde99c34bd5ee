/**
 * The patterns of a manifest, brought into the one form that the matcher compares: hosts in lower case and ASCII,
 * methods in upper case. A pattern that could never match is refused here, with what would be right.
 */
import { domainToASCII } from 'node:url'

export type PatternResult = { readonly value: string } | { readonly problem: string }

/** In characters. */
const PATH_MAX = 1024

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const LABELS = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/
const IPV6 = /^\[[0-9a-f:.]+\]$/

/** `tv.example.com`, `*.example.com` (any depth below, not the name itself), or `*`. An address counts as a name. */
export function hostPattern(text: string): PatternResult {
  const host = text.trim().toLowerCase()
  if (host === '*') return { value: '*' }
  if (IPV6.test(host)) return { value: host }
  if (host.includes('/')) return { problem: 'expected a host without a scheme or path' }
  if (/:\d*$/.test(host)) return { problem: 'expected a host without a port' }
  const wild = host.startsWith('*.') ? '*.' : ''
  const name = domainToASCII(host.slice(wild.length).replace(/\.$/, ''))
  if (name === '' || name.length > 253 || !LABELS.test(name)) {
    return { problem: 'expected a host such as "tv.example.com", "*.example.com" or "*"' }
  }
  return { value: wild + name }
}

/** `/live.m3u8`, or `/hls/*` for all that starts with what is before the star. */
export function pathPattern(text: string): PatternResult {
  if (!text.startsWith('/')) return { problem: 'expected a path that starts with "/"' }
  if (text.slice(0, -1).includes('*')) return { problem: 'expected "*" at the end alone' }
  if (text.length > PATH_MAX) return { problem: `expected a path of at most ${PATH_MAX} characters` }
  if (/[?#]/.test(text)) return { problem: 'expected a path without a query or fragment' }
  if (/[^\x21-\x7e]/.test(text)) return { problem: 'expected a path as it is sent, percent-encoded' }
  return { value: text }
}

export function methodName(text: string): PatternResult {
  return TOKEN.test(text) ? { value: text.toUpperCase() } : { problem: 'expected a method such as "GET"' }
}

/** A node's name, or `group:NAME`. */
export function nodePattern(text: string): PatternResult {
  const name = text.startsWith('group:') ? text.slice('group:'.length) : text
  return /^[^\s:*]+$/.test(name) ? { value: text } : { problem: 'expected a node\'s name or "group:NAME"' }
}
