/**
 * The patterns of a manifest, brought into the one form that the matcher compares: hosts in lower case and ASCII,
 * methods in upper case. A pattern that could never match is refused here, with what would be right. Those of paths are in `base`.
 */
import { domainToASCII } from 'node:url'
import type { PatternResult } from '../base/path-pattern.ts'

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

export function methodName(text: string): PatternResult {
  return TOKEN.test(text) ? { value: text.toUpperCase() } : { problem: 'expected a method such as "GET"' }
}

/** A node's name, or `group:NAME`. */
export function nodePattern(text: string): PatternResult {
  const name = text.startsWith('group:') ? text.slice('group:'.length) : text
  return /^[^\s:*]+$/.test(name) ? { value: text } : { problem: 'expected a node\'s name or "group:NAME"' }
}
