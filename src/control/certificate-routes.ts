/** The rows of the admin API about certificates of the log. */
import * as v from 'valibot'
import { EdgeError } from '../base/errors.ts'
import { readBody } from './body.ts'
import * as shapes from './certificate-shapes.ts'
import type { Route } from './routes.ts'
import { WaitBody } from './shapes.ts'

export const CERTIFICATE_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/certificates',
    summary:
      'The certificates of the log, ordered by name; those of files are not among them. No key is shown.',
    answer: [shapes.CertificateShape],
    access: 'read',
    handle: ({ node }) => node.certificates(),
  },
  {
    method: 'GET',
    path: '/v1/certificates/{name}',
    summary: 'One certificate of the log.',
    answer: shapes.CertificateShape,
    access: 'read',
    handle: ({ node, name }) => node.certificate(name),
  },
  {
    method: 'PUT',
    path: '/v1/certificates/{name}',
    summary:
      'Sets a certificate and its key, which is checked to be the one of the certificate, and sealed in the log.',
    body: shapes.CertificateBody,
    answer: shapes.CertificateChangeShape,
    access: 'deploy',
    async handle({ node, name, request }) {
      const checked = v.safeParse(shapes.CertificateName, name)
      if (!checked.success) {
        const [{ message }] = checked.issues
        throw new EdgeError(
          'request-invalid',
          `\`${name.slice(0, 80)}\` cannot be the name of a certificate: ${message}`,
        )
      }
      const { cert, key, force, ...options } = await readBody(request, shapes.CertificateBody)
      return node.setCertificate(name, { cert, key, force }, options)
    },
  },
  {
    method: 'DELETE',
    path: '/v1/certificates/{name}',
    summary:
      'Removes a certificate of the log. One that came from the ACME authority, and is still wanted, is asked for anew.',
    body: WaitBody,
    answer: shapes.CertificateChangeShape,
    access: 'deploy',
    handle: async ({ node, name, request }) =>
      node.removeCertificate(name, await readBody(request, WaitBody)),
  },
]
