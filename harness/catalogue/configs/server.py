import asyncio


async def answer(reader, writer):
    await reader.readuntil(b'\r\n\r\n')
    writer.write(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\nanswer\n')
    {end}


async def main():
    server = await asyncio.start_server(answer, '0.0.0.0', 8080)
    await server.serve_forever()


asyncio.run(main())
