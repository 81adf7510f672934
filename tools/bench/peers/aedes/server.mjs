// The smallest Aedes server: `node server.mjs HOST PORT [CERTIFICATE KEY]`, all defaults.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Aedes } from 'aedes'

const [host, port, certificate, key] = process.argv.slice(2)
const broker = await Aedes.createBroker()
const server = certificate
  ? createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) }, broker.handle)
  : createServer({ noDelay: true }, broker.handle)
server.listen({ host, port: Number(port), backlog: 1024 })
