const http = require('http');

const server = http.createServer((request, response) => response.end('answer\n'));
server.keepAliveTimeout = {keepAlive};
server.listen(8080, '0.0.0.0');
