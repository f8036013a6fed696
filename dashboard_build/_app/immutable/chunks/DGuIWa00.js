import{D as a}from"./C9KZjsnu.js";a();
