import{B as a}from"./DX5xxAGp.js";a();
