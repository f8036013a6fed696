import{G as a}from"./D_V1aDkq.js";a();
