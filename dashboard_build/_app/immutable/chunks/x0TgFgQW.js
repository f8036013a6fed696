import{G as a}from"./DCEBdn6g.js";a();
